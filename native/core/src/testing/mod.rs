//! Test doubles, public so that other crates can use them.
