//! The way in: from a fork of the supervisor to the guest's init.
//!
//! ```text
//! supervisor (host's namespaces, to the end)
//!   ├─ entrant   leaves the user, network and PID namespaces, makes the TAP, sends it to the supervisor, forks
//!   └─ init      (PID 1 of the guest; the supervisor's child, by CLONE_PARENT)
//!        └─ command
//! ```
//!
//! The entrant ends as soon as init exists. It is there so that the supervisor never leaves the host's namespaces: it can reach
//! the engine's socket after a crash with the caller's plain identity, and holds no capability that could be taken from it.

use unet_sys::fork::{Parent, end_child, fork};
use unet_sys::{capability, namespace};

use crate::channel::Channel;
use crate::execute::Standard;
use crate::failure::{Failure, Result, Step};
use crate::init;
use crate::messages::FromInside;
use crate::network::{self, Settings};
use crate::spec::{Spec, User};

const SIGKILL: i32 = 9;

/// The entrant's whole life; its exit status.
pub(crate) fn enter(spec: &Spec, supervisor: &Channel, standard: Standard) -> i32 {
    match make_network(spec, supervisor) {
        Ok(settings) => match fork(Parent::CallersParent) {
            Ok(None) => end_child(|| init::run(spec, supervisor, standard, settings)),
            Ok(Some(pid)) => tell(supervisor, &FromInside::Init { pid: pid.as_raw() }),
            Err(error) => {
                let failure = Failure::own(format_args!("cannot start the container's init: {error}"));
                tell(supervisor, &FromInside::Failed(failure))
            }
        },
        Err(failure) => tell(supervisor, &FromInside::Failed(failure)),
    }
}

fn make_network(spec: &Spec, supervisor: &Channel) -> Result<Settings> {
    capability::parent_death_signal(SIGKILL).step("cannot tie the launcher's processes together")?;
    let (uid, gid) = namespace::caller();
    let inside = match spec.user {
        User::Caller => (uid.as_raw(), gid.as_raw()),
        User::Root => (0, 0),
    };
    network::enter(inside)?;
    let mut settings = Settings::of(&spec.interface, inside.1);
    let tap = network::set_up(&spec.interface, spec.offload, &mut settings)?;
    if let Some(error) = &tap.plain_because {
        warn(supervisor, format!("no offloads on the TAP device ({error}): traffic will be slower"));
    }
    use std::os::fd::AsFd;
    supervisor
        .send(&FromInside::Device(tap.features.into()), Some(tap.fd.as_fd()))
        .step("the launcher's supervisor is gone")?;
    Ok(settings)
}

/// A report that cannot be delivered has nobody to be delivered to: the supervisor is gone, and so are we.
pub(crate) fn tell(supervisor: &Channel, message: &FromInside) -> i32 {
    i32::from(supervisor.send(message, None).is_err())
}

pub(crate) fn warn(supervisor: &Channel, message: String) {
    tell(supervisor, &FromInside::Warning { message });
}
