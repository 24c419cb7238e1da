//! PID 1 of the guest: makes its file system view, starts the command, reaps, and ends with the command.
//!
//! # Theory of operation
//!
//! Everything that does not depend on the daemon is done before its "go" is waited for; the three /etc files are mounted after
//! it, because the daemon writes them until then. Then the masks, capabilities, the working directory again (one opened before the
//! mask would bypass it), and the command.
//!
//! Init is non-dumpable, so that the guest can neither trace it nor take its descriptors. It has every signal blocked: the terminal's
//! keys reach the command itself, which is in the same process group, and what is meant for the command from outside
//! is sent to it by the supervisor through its pidfd. A signal that a guest process sends to PID 1 is ignored, as the kernel does for
//! an init without handlers.
//!
//! When init ends, the kernel kills whatever else lives in the PID namespace.

use std::io::{self, Read};
use std::os::fd::AsFd;

use unet_sys::fork::{Ended, Parent, end_child, fork, reap_any};
use unet_sys::namespace::{self, Namespace};
use unet_sys::signal::{self, Signals};
use unet_sys::wait::{Waiting, wait};
use unet_sys::{capability, mount, pidfd};

use crate::channel::Channel;
use crate::etc_files::EtcView;
use crate::execute::{self, Standard};
use crate::exit_status::ExitStatus;
use crate::failure::{Failure, Result, Step};
use crate::inside::{tell, warn};
use crate::messages::{FromInside, ToInside};
use crate::mounts;
use crate::network::{Refused, Settings};
use crate::refusal::Attempt;
use crate::spec::{Spec, User};

const SIGKILL: i32 = 9;

pub(crate) fn run(spec: &Spec, supervisor: &Channel, standard: Standard, settings: Settings) -> i32 {
    match start_and_wait(spec, supervisor, standard, settings) {
        Ok(Some(ended)) => tell(supervisor, &FromInside::Exited(ExitStatus::from(ended))),
        // The supervisor is gone, or gave up.
        Ok(None) => 1,
        Err(failure) => tell(supervisor, &FromInside::Failed(failure)),
    }
}

fn start_and_wait(
    spec: &Spec,
    supervisor: &Channel,
    standard: Standard,
    mut settings: Settings,
) -> Result<Option<Ended>> {
    let what = "cannot prepare the container's init";
    let mask = signal::current_mask().step(what)?;
    signal::block_all().step(what)?;
    let children = Signals::listen(&[signal::Name::SIGCHLD], &[]).step(what)?;
    capability::parent_death_signal(SIGKILL).step(what)?;
    capability::not_dumpable().step(what)?;

    let etc = see_own_files(spec, supervisor, &mut settings)?;
    // If the supervisor died before the parent-death signal was set, the channel is at its end, and this says so.
    let Some(ToInside::Go) = listen(supervisor)? else {
        return Ok(None);
    };
    etc.show(&spec.etc)?;
    mounts::mask(&spec.mask)?;
    give_up_privileges(spec.user)?;
    // Without capabilities, which would let it into a masked directory.
    std::env::set_current_dir(&spec.cwd).map_err(|error| refused_directory(spec, &error))?;

    let (mut exec_report, exec_reporter) = io::pipe().step(what)?;
    let command = match fork(Parent::Caller) {
        Ok(None) => end_child(|| {
            drop(exec_report);
            execute::run(spec, standard, &mask, exec_reporter)
        }),
        Ok(Some(pid)) => pid,
        Err(error) => return Err(Failure::own(format_args!("cannot start the command: {error}"))),
    };
    drop((standard, exec_reporter));
    let handle = pidfd::open(command).step("cannot watch the command (Linux 5.3 is needed)")?;
    let mut report = Vec::new();
    exec_report.read_to_end(&mut report).step(what)?;
    if !report.is_empty() {
        return Err(
            serde_json::from_slice(&report).unwrap_or_else(|_| Failure::own("the command could not be started"))
        );
    }
    if supervisor.send(&FromInside::Started, Some(handle.as_fd())).is_err() {
        return Ok(None);
    }
    // Until the supervisor has read the command's number, the command must not be reaped.
    let Some(ToInside::Noted) = listen(supervisor)? else {
        return Ok(None);
    };
    reap_until(command, &children, supervisor)
}

/// The guest's own mount, host name and IPC namespaces, /proc and /sys, and an /etc that can be changed.
fn see_own_files(spec: &Spec, supervisor: &Channel, settings: &mut Settings) -> Result<EtcView> {
    for namespace in [Namespace::Mount, Namespace::Hostname, Namespace::Ipc] {
        namespace::leave(&[namespace]).map_err(Refused::at(Attempt::Leave(namespace)))?;
    }
    mount::make_private().step("cannot separate the container's mounts from the host's")?;
    namespace::set_hostname(&spec.hostname).step("cannot set the container's host name")?;
    if let Err(error) = mounts::fresh_proc() {
        warn(
            supervisor,
            format!(
                "/proc shows the host's processes, because the kernel refuses a new one ({error}): is unet itself in a container?"
            ),
        );
    }
    mounts::fresh_sys();
    settings.apply();
    if let Some(complaint) = settings.complaint() {
        warn(supervisor, complaint);
    }
    EtcView::prepare(spec.user)
}

fn listen(supervisor: &Channel) -> Result<Option<ToInside>> {
    let message = supervisor.receive(true).step("the launcher's supervisor cannot be understood")?;
    Ok(message.map(|(message, _)| message))
}

fn refused_directory(spec: &Spec, error: &io::Error) -> Failure {
    let cwd = spec.cwd.display();
    if spec.mask.iter().any(|mask| spec.cwd.starts_with(mask)) {
        return Failure::own(format_args!(
            "the working directory {cwd} is hidden from containers: choose another with -w"
        ));
    }
    Failure::own(format_args!("cannot use {cwd} as the working directory ({error}): choose another with -w"))
}

/// Bounding set untouched, see `unet_sys::capability`. Root inside keeps CAP_SETFCAP alone, without which it could not map
/// uid 0 into a user namespace of its own: unet inside unet, and `unshare -Ur`.
fn give_up_privileges(user: User) -> Result<()> {
    let keep: &[u8] = match user {
        User::Caller => &[],
        User::Root => &[capability::SETFCAP],
    };
    capability::keep_only(keep).step("cannot drop capabilities")?;
    capability::no_new_privileges().step("cannot set no_new_privs")
}

/// Reaps whatever ends, until the command does. `None` when the supervisor is gone.
fn reap_until(command: namespace::Pid, children: &Signals, supervisor: &Channel) -> Result<Option<Ended>> {
    let what = "the container's init cannot wait";
    loop {
        while let Some((pid, ended)) = reap_any().step(what)? {
            if pid == command {
                return Ok(Some(ended));
            }
        }
        let mut waiting = [Waiting::to_read(children.as_fd()), Waiting::to_read(supervisor.as_fd())];
        wait(&mut waiting, None).step(what)?;
        let [signaled, told] = waiting.map(|one| one.is_ready());
        if signaled {
            while children.next().step(what)?.is_some() {}
        }
        // Nothing is said after `Noted`: readable means the end.
        if told {
            return Ok(None);
        }
    }
}
