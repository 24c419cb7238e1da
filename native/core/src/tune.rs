
#![allow(warnings)]
use std::sync::OnceLock;
macro_rules! knob { ($f:ident,$n:literal,$d:expr) => { pub fn $f() -> u64 { static V: OnceLock<u64> = OnceLock::new(); *V.get_or_init(|| std::env::var($n).ok().and_then(|s| s.parse().ok()).unwrap_or($d)) } } }
knob!(win,"T_WIN",1<<20);
knob!(ackn,"T_ACKN",1<<30);
knob!(budget,"T_BUDGET",16);
knob!(rao,"T_RAO",15);
knob!(spin,"T_SPIN",0);
knob!(dack,"T_DACK",0);
knob!(yld,"T_YIELD",1);
knob!(tapb,"T_TAPB",64);
