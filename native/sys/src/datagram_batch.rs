//! Many datagrams a call: `sendmmsg`, `recvmmsg`, and the segment sizes of `UDP_SEGMENT` and `UDP_GRO`.
//!
//! The kernel's headers (`mmsghdr`, `iovec`, `sockaddr`, `cmsghdr`) are built and read as bytes here rather than by nix, whose calls
//! allocate or give all messages the same control data. So the only unsafe steps are the two calls themselves, and what they demand
//! is that the pointers in the headers stay good until they return.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Messages of one send.
pub const SEND_BATCH: usize = 16;
/// Messages of one receive.
pub const RECEIVE_BATCH: usize = 32;

/// Segments of one `UDP_SEGMENT` send that every kernel takes (newer ones take 128), and of what `UDP_GRO` puts together from a wire.
pub const MAX_SEGMENTS: usize = 64;
/// The largest payload of UDP over IPv4, in one datagram or several.
pub const MAX_UDP_PAYLOAD: usize = 65_507;

/// The largest that UDP carries, and whatever `UDP_GRO` puts together is no larger.
const SLOT: usize = 65_536;
/// A few cache lines more than a slot, or the beginnings of all slots would share the same sets of the cache.
const STRIDE: usize = SLOT + 5 * 64;
/// Room for a `sockaddr_in6`.
const NAME: usize = size_of::<libc::sockaddr_in6>();
/// Room for packet information of either family (36 and 40 bytes) and a segment size (24).
const CONTROL: usize = 96;
/// A `cmsghdr`: length, level, type.
const CONTROL_HEADER: usize = size_of::<libc::cmsghdr>();

const _: () = assert!(CONTROL_HEADER == 16 && NAME == 28, "64-bit Linux, whose layouts are written out below");

#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
struct Meta {
    control: [u8; CONTROL],
    name: [u8; NAME],
    name_len: usize,
    control_len: usize,
}

const NOTHING: Meta = Meta { control: [0; CONTROL], name: [0; NAME], name_len: 0, control_len: 0 };

/// One message to send: a datagram, or with `segment` several of that many bytes (the last may be shorter).
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub to: SocketAddr,
    /// The address of ours that it comes from; the kernel chooses when none is given.
    pub from: Option<IpAddr>,
    pub data: &'a [u8],
    pub segment: Option<u16>,
}

impl Outgoing<'_> {
    /// To fill arrays with.
    pub const NOTHING: Self =
        Self { to: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)), from: None, data: &[], segment: None };

    #[must_use]
    pub fn datagrams(&self) -> usize {
        self.segment.map_or(1, |size| self.data.len().div_ceil(usize::from(size).max(1)))
    }
}

/// Sends the first messages of `messages`, [`SEND_BATCH`] at most, and says how many went. An error is that of the first one.
pub fn send_many(fd: BorrowedFd<'_>, messages: &[Outgoing<'_>]) -> io::Result<usize> {
    let messages = &messages[..messages.len().min(SEND_BATCH)];
    let mut metas = [NOTHING; SEND_BATCH];
    let mut pieces = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; SEND_BATCH];
    let mut headers = [EMPTY; SEND_BATCH];
    for (n, message) in messages.iter().enumerate() {
        let meta = &mut metas[n];
        meta.set_name(message.to);
        if let Some(size) = message.segment {
            meta.add_control(libc::SOL_UDP, libc::UDP_SEGMENT, &size.to_ne_bytes());
        }
        match message.from {
            // `in_pktinfo`: interface, source (`ipi_spec_dst`), and an address that only receiving fills.
            Some(IpAddr::V4(from)) => {
                let mut info = [0; size_of::<libc::in_pktinfo>()];
                info[4..8].copy_from_slice(&from.octets());
                meta.add_control(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            // `in6_pktinfo`: source, interface.
            Some(IpAddr::V6(from)) => {
                let mut info = [0; size_of::<libc::in6_pktinfo>()];
                info[..16].copy_from_slice(&from.octets());
                meta.add_control(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
            None => {}
        }
        pieces[n] = libc::iovec { iov_base: message.data.as_ptr().cast_mut().cast(), iov_len: message.data.len() };
        headers[n] = header(meta, &mut pieces[n], meta.name_len, meta.control_len);
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let count = u32::try_from(messages.len()).unwrap_or(0);
    // SAFETY: the first `count` headers point at `metas`, `pieces` and the callers' data, which all outlive the call, with their true
    // lengths; sendmmsg reads what they point at and writes `msg_len` of the headers only.
    let sent = unsafe { libc::sendmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), count, flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

const EMPTY: libc::mmsghdr = {
    // SAFETY: a header of null pointers and zero lengths is a valid value.
    unsafe { std::mem::zeroed() }
};

fn header(meta: &mut Meta, piece: *mut libc::iovec, name_len: usize, control_len: usize) -> libc::mmsghdr {
    let mut header = EMPTY;
    header.msg_hdr.msg_name = meta.name.as_mut_ptr().cast();
    header.msg_hdr.msg_namelen = u32::try_from(name_len).unwrap_or(0);
    header.msg_hdr.msg_iov = piece;
    header.msg_hdr.msg_iovlen = 1;
    header.msg_hdr.msg_control = if control_len == 0 { std::ptr::null_mut() } else { meta.control.as_mut_ptr().cast() };
    header.msg_hdr.msg_controllen = control_len;
    header
}

impl Meta {
    fn set_name(&mut self, address: SocketAddr) {
        match address {
            SocketAddr::V4(v4) => {
                self.name[..2].copy_from_slice(&family(libc::AF_INET));
                self.name[2..4].copy_from_slice(&v4.port().to_be_bytes());
                self.name[4..8].copy_from_slice(&v4.ip().octets());
                self.name_len = size_of::<libc::sockaddr_in>();
            }
            SocketAddr::V6(v6) => {
                self.name[..2].copy_from_slice(&family(libc::AF_INET6));
                self.name[2..4].copy_from_slice(&v6.port().to_be_bytes());
                self.name[4..8].copy_from_slice(&v6.flowinfo().to_ne_bytes());
                self.name[8..24].copy_from_slice(&v6.ip().octets());
                self.name[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                self.name_len = NAME;
            }
        }
    }

    fn name(&self) -> Option<SocketAddr> {
        let port = u16::from_be_bytes([self.name[2], self.name[3]]);
        if self.name[..2] == family(libc::AF_INET) && self.name_len >= size_of::<libc::sockaddr_in>() {
            let octets: [u8; 4] = self.name[4..8].try_into().ok()?;
            return Some(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from(octets), port)));
        }
        if self.name[..2] == family(libc::AF_INET6) && self.name_len >= NAME {
            let flow = u32::from_ne_bytes(self.name[4..8].try_into().ok()?);
            let octets: [u8; 16] = self.name[8..24].try_into().ok()?;
            let scope = u32::from_ne_bytes(self.name[24..28].try_into().ok()?);
            return Some(SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(octets), port, flow, scope)));
        }
        None
    }

    fn add_control(&mut self, level: i32, kind: i32, data: &[u8]) {
        let at = self.control_len;
        self.control[at..at + 8].copy_from_slice(&(CONTROL_HEADER + data.len()).to_ne_bytes());
        self.control[at + 8..at + 12].copy_from_slice(&level.to_ne_bytes());
        self.control[at + 12..at + 16].copy_from_slice(&kind.to_ne_bytes());
        self.control[at + 16..at + 16 + data.len()].copy_from_slice(data);
        self.control_len = at + (CONTROL_HEADER + data.len()).next_multiple_of(8);
    }

    /// Level, type and data of every control message, up to the first that does not fit what was received.
    fn controls(&self) -> impl Iterator<Item = (i32, i32, &[u8])> {
        let mut rest = &self.control[..self.control_len.min(CONTROL)];
        std::iter::from_fn(move || {
            let len = usize::from_ne_bytes(rest.get(..8)?.try_into().ok()?);
            let level = i32::from_ne_bytes(rest.get(8..12)?.try_into().ok()?);
            let kind = i32::from_ne_bytes(rest.get(12..16)?.try_into().ok()?);
            let data = rest.get(CONTROL_HEADER..len)?;
            rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
            Some((level, kind, data))
        })
    }
}

fn family(family: i32) -> [u8; 2] {
    // Address families are small numbers.
    u16::try_from(family).unwrap_or(0).to_ne_bytes()
}

/// One message received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming<'a> {
    pub from: SocketAddr,
    /// The address of ours that it was sent to, where the socket says so.
    pub local: Option<IpAddr>,
    pub data: &'a [u8],
    /// Several datagrams of so many bytes (the last may be shorter), put together by `UDP_GRO`.
    pub segment: Option<u16>,
}

/// Buffers for [`RECEIVE_BATCH`] messages of any size. What nothing was ever received into costs no memory.
#[derive(Debug)]
pub struct ReceiveRing {
    data: Box<[u8]>,
    metas: Box<[Meta; RECEIVE_BATCH]>,
    lengths: [usize; RECEIVE_BATCH],
}

impl Default for ReceiveRing {
    fn default() -> Self {
        Self {
            data: vec![0; STRIDE * RECEIVE_BATCH].into_boxed_slice(),
            metas: Box::new([NOTHING; RECEIVE_BATCH]),
            lengths: [0; RECEIVE_BATCH],
        }
    }
}

impl ReceiveRing {
    /// Takes what waits at the socket, `limit` messages at most, in the place of what the ring held; says how many there are.
    pub fn receive(&mut self, fd: BorrowedFd<'_>, limit: usize) -> io::Result<usize> {
        let limit = limit.min(RECEIVE_BATCH);
        let mut pieces = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; RECEIVE_BATCH];
        let mut headers = [EMPTY; RECEIVE_BATCH];
        for (n, (slot, meta)) in self.data.chunks_exact_mut(STRIDE).zip(self.metas.iter_mut()).take(limit).enumerate() {
            pieces[n] = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: SLOT };
            headers[n] = header(meta, &mut pieces[n], NAME, CONTROL);
        }
        let count = u32::try_from(limit).unwrap_or(0);
        // SAFETY: the first `count` headers point at distinct parts of `self.data`, `self.metas` and `pieces` with their true lengths;
        // all outlive the call, nothing else refers to them meanwhile, and any bytes are valid there. No timeout is given.
        let got = unsafe {
            libc::recvmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT, std::ptr::null_mut())
        };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        for (n, header) in headers.iter().enumerate().take(got) {
            self.lengths[n] = usize::try_from(header.msg_len).unwrap_or(SLOT).min(SLOT);
            self.metas[n].name_len = usize::try_from(header.msg_hdr.msg_namelen).unwrap_or(0);
            self.metas[n].control_len = header.msg_hdr.msg_controllen;
        }
        Ok(got)
    }

    /// Message `n` of the last [`ReceiveRing::receive`]; None for one without a sender's address.
    #[must_use]
    pub fn message(&self, n: usize) -> Option<Incoming<'_>> {
        let meta = self.metas.get(n)?;
        let data = self.data.get(n * STRIDE..)?.get(..self.lengths[n])?;
        let mut message = Incoming { from: meta.name()?, local: None, data, segment: None };
        for (level, kind, value) in meta.controls() {
            match (level, kind) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let size = value.get(..4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
                    message.segment = size.and_then(|size| u16::try_from(size).ok()).filter(|&size| size > 0);
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    // `ipi_spec_dst`: the destination of the packet, or of a broadcast the address that answers it.
                    let octets: Option<[u8; 4]> = value.get(4..8).and_then(|bytes| bytes.try_into().ok());
                    message.local = octets.map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let octets: Option<[u8; 16]> = value.get(..16).and_then(|bytes| bytes.try_into().ok());
                    message.local = octets.map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
                }
                _ => {}
            }
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    fn pair(address: &str) -> (UdpSocket, UdpSocket) {
        let sockets = (UdpSocket::bind(address).unwrap(), UdpSocket::bind(address).unwrap());
        sockets.1.set_nonblocking(true).unwrap();
        sockets
    }

    fn received(ring: &ReceiveRing, count: usize) -> Vec<(Vec<u8>, Option<u16>)> {
        (0..count).map(|n| ring.message(n).unwrap()).map(|message| (message.data.to_vec(), message.segment)).collect()
    }

    #[test]
    fn a_batch_there_and_its_pieces_back() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (from, to) = pair(address);
            crate::datagram::tell_local_address(to.as_fd()).unwrap();
            let to_address = to.local_addr().unwrap();
            let long = [7; 3000];
            let message = |data, segment, from| Outgoing { to: to_address, from, data, segment };
            let ours = Some(to_address.ip());
            let messages = [
                message(&b"one"[..], None, None),
                message(b"", None, ours),
                message(&long, Some(1400), ours),
                message(b"last", None, None),
            ];
            assert_eq!(send_many(from.as_fd(), &messages).unwrap(), 4);
            let mut ring = ReceiveRing::default();
            let count = ring.receive(to.as_fd(), RECEIVE_BATCH).unwrap();
            let plain = |data: &[u8]| (data.to_vec(), None);
            let wanted =
                [plain(b"one"), plain(b""), plain(&[7; 1400]), plain(&[7; 1400]), plain(&[7; 200]), plain(b"last")];
            assert_eq!(received(&ring, count), wanted);
            for n in 0..count {
                let message = ring.message(n).unwrap();
                assert_eq!((message.from, message.local), (from.local_addr().unwrap(), ours));
            }
            assert_eq!(ring.receive(to.as_fd(), 1).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn what_was_put_together_says_its_size() {
        let (from, to) = pair("127.0.0.1:0");
        crate::datagram::coalesce(to.as_fd()).unwrap();
        let data: Vec<u8> = (0..40_000u32).map(|n| n as u8).collect();
        let to_address = to.local_addr().unwrap();
        let message = Outgoing { to: to_address, from: None, data: &data, segment: Some(1200) };
        assert_eq!(send_many(from.as_fd(), &[message]).unwrap(), 1);
        let mut ring = ReceiveRing::default();
        assert_eq!(ring.receive(to.as_fd(), RECEIVE_BATCH).unwrap(), 1);
        assert_eq!(received(&ring, 1), [(data, Some(1200))]);
    }

    /// Whoever broadcasts to find a server gets its answer from an address that one can answer from.
    #[test]
    fn a_broadcast_was_for_the_address_of_ours_that_answers_it() {
        let (server, client) = pair("0.0.0.0:0");
        crate::datagram::tell_local_address(server.as_fd()).unwrap();
        client.set_broadcast(true).unwrap();
        let port = server.local_addr().unwrap().port();
        client.send_to(b"anybody?", ("127.255.255.255", port)).unwrap();
        let mut ring = ReceiveRing::default();
        assert_eq!(ring.receive(server.as_fd(), 1).unwrap(), 1);
        let asked = ring.message(0).unwrap();
        assert_eq!(asked.local, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let answer = Outgoing { to: asked.from, from: asked.local, data: b"me", segment: None };
        assert_eq!(send_many(server.as_fd(), &[answer]).unwrap(), 1);
        let mut bytes = [0; 10];
        assert_eq!(client.recv_from(&mut bytes).unwrap(), (2, SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
    }

    #[test]
    fn the_limit_holds_and_an_error_is_that_of_the_first() {
        let (from, to) = pair("127.0.0.1:0");
        let message = Outgoing { to: to.local_addr().unwrap(), from: None, data: b"x", segment: None };
        assert_eq!(send_many(from.as_fd(), &[message; SEND_BATCH + 3]).unwrap(), SEND_BATCH);
        let mut ring = ReceiveRing::default();
        assert_eq!(ring.receive(to.as_fd(), 5).unwrap(), 5);
        assert_eq!(ring.receive(to.as_fd(), usize::MAX).unwrap(), SEND_BATCH - 5);
        let large = [0; 65_508];
        let too_large = Outgoing { data: &large, ..message };
        assert_eq!(send_many(from.as_fd(), &[message, too_large]).unwrap(), 1, "what went before it went");
        let error = send_many(from.as_fd(), &[too_large, message]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    }
}
