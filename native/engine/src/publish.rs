//! Published ports: listeners on the host that open flows to a guest.

use crate::error::EngineError;
use crate::limits::LISTEN_BACKLOG;
use crate::ports::{ListenerId, Source, SourceId};
use crate::run::Loop;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use unet_core::EndpointId;
use unet_core::uplink::DatagramKind;
use unet_sys::event::Interest;
use unet_sys::{datagram, stream};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

/// One published port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishSpec {
    pub endpoint: String,
    pub protocol: Protocol,
    /// Port 0: the kernel chooses.
    pub host: SocketAddr,
    pub guest_port: u16,
}

#[derive(Debug)]
pub(crate) struct Listener {
    fd: OwnedFd,
    source: SourceId,
    endpoint: EndpointId,
    spec: PublishSpec,
}

impl Loop {
    /// Binds, listens, and says which port it became. The bind is the arbiter: what the kernel refuses is the answer.
    pub(crate) fn publish(&mut self, mut spec: PublishSpec) -> Result<u16, EngineError> {
        let endpoint = self.endpoints.get(&spec.endpoint).ok_or(EngineError::NotFound("endpoint"))?.id;
        if spec.guest_port == 0 {
            return Err(EngineError::Invalid("guest port: 1 to 65535"));
        }
        match spec.protocol {
            Protocol::Tcp => {
                let fd = stream::listen_on(spec.host, LISTEN_BACKLOG)?;
                spec.host = stream::local_address(fd.as_fd())?;
                let port = spec.host.port();
                let name = spec.endpoint.clone();
                let id = self.listeners.insert(None);
                let source = match self.ports.watch(fd.as_fd(), Source::Listener(id), Interest::Read) {
                    Ok(source) => source,
                    Err(error) => {
                        self.listeners.remove(id);
                        return Err(error.into());
                    }
                };
                self.listeners[id] = Some(Listener { fd, source, endpoint, spec });
                if let Some(endpoint) = self.endpoints.get_mut(&name) {
                    endpoint.listeners.push(id);
                }
                Ok(port)
            }
            Protocol::Udp => {
                let fd = datagram::udp(spec.host)?;
                if spec.host.ip().is_unspecified() {
                    datagram::tell_local_address(fd.as_fd())?;
                }
                spec.host = stream::local_address(fd.as_fd())?;
                let port = spec.host.port();
                let binding =
                    self.stack.publish_udp(endpoint, spec.guest_port).ok_or(EngineError::NotFound("endpoint"))?;
                if let Err(error) = self.ports.adopt_datagram(binding, fd, DatagramKind::Udp) {
                    self.stack.unpublish_udp(&mut self.ports, binding);
                    return Err(error.into());
                }
                if spec.host.ip() == Ipv4Addr::UNSPECIFIED {
                    self.stack.send_from_published(binding);
                }
                if let Some(endpoint) = self.endpoints.get_mut(&spec.endpoint) {
                    endpoint.bindings.push((spec, binding));
                }
                Ok(port)
            }
        }
    }

    /// Takes a published port back. Connections through it go on.
    pub(crate) fn unpublish(&mut self, spec: &PublishSpec) -> Result<(), EngineError> {
        let endpoint = self.endpoints.get_mut(&spec.endpoint).ok_or(EngineError::NotFound("endpoint"))?;
        match spec.protocol {
            Protocol::Tcp => {
                let listeners = &self.listeners;
                let at = endpoint
                    .listeners
                    .iter()
                    .position(|&id| matches!(listeners.get(id), Some(Some(listener)) if listener.spec == *spec))
                    .ok_or(EngineError::NotFound("published port"))?;
                let id = endpoint.listeners.remove(at);
                self.close_listener(id);
            }
            Protocol::Udp => {
                let at = endpoint
                    .bindings
                    .iter()
                    .position(|(other, _)| other == spec)
                    .ok_or(EngineError::NotFound("published port"))?;
                let (_, binding) = endpoint.bindings.remove(at);
                self.stack.unpublish_udp(&mut self.ports, binding);
            }
        }
        Ok(())
    }

    pub(crate) fn close_listener(&mut self, id: ListenerId) {
        if let Some(Some(listener)) = self.listeners.remove(id) {
            self.ports.forget(listener.source);
        }
    }

    /// Callers wait at a listener; so many of them are let in.
    pub(crate) fn on_listener(&mut self, id: ListenerId, most: usize) {
        for _ in 0..most {
            let Some(Some(listener)) = self.listeners.get(id) else { return };
            let (endpoint, guest_port) = (listener.endpoint, listener.spec.guest_port);
            let (fd, caller) = match stream::accept(listener.fd.as_fd()) {
                Ok(accepted) => accepted,
                Err(error) => match error.raw_os_error() {
                    // This caller has gone already; the next may be there.
                    Some(libc::ECONNABORTED | libc::ENOTCONN | libc::EINTR) => continue,
                    Some(libc::EMFILE | libc::ENFILE) => return self.turn_away(id),
                    _ => return,
                },
            };
            let now = self.clock.now();
            let flow = self.stack.on_accept(&mut self.ports, endpoint, guest_port, caller, now);
            match flow {
                None => stream::reset_on_close(fd.as_fd()),
                Some(flow) => {
                    if self.ports.adopt_stream(flow, fd).is_err() {
                        self.stack.reset_flow(&mut self.ports, flow, now);
                    }
                }
            }
        }
    }

    /// No descriptor is left for a caller. Leaving it in the queue would wake the loop for ever: the one descriptor that is kept in
    /// reserve takes it out and resets it.
    fn turn_away(&mut self, id: ListenerId) {
        self.reserve = None;
        if let Some(Some(listener)) = self.listeners.get(id)
            && let Ok((fd, _)) = stream::accept(listener.fd.as_fd())
        {
            stream::reset_on_close(fd.as_fd());
        }
        self.stack.count_drop(unet_core::DropReason::UplinkExhausted);
        self.reserve = reserve().ok();
    }
}

/// A descriptor that holds a place in the table.
pub(crate) fn reserve() -> io::Result<OwnedFd> {
    Ok(std::fs::File::open("/dev/null")?.into())
}
