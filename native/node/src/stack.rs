//! The engine as an object of JavaScript.

use napi::bindgen_prelude::{BufferSlice, Function};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use unet_engine as engine;
use unet_engine::{Engine, EngineError, EngineOptions, HostAccess, Protocol};

use crate::convert::{Result, failed, faults, invalid, ip, ipv4, mac, number, port, subnet};
use crate::events::StackEvent;

/// What a stack is made with.
#[napi(object)]
pub struct StackOptions {
    /// Path of the socket where launchers hand over TAPs; whatever lies there is replaced.
    pub handoff_socket: String,
    /// Flows of all guests together, 1 to 1,000,000. Default: 65,536.
    pub max_flows: Option<u32>,
}

/// A network: one switch, subnet and gateway.
#[napi(object)]
pub struct NetworkSpec {
    pub id: String,
    /// `172.17.0.0/16`; prefix length 1 to 30.
    pub subnet: String,
    pub gateway: String,
    pub gateway_mac: String,
    /// Bytes, 68 to 65,520.
    pub mtu: u32,
}

/// What one direction of a link does to frames.
#[napi(object)]
pub struct FaultSpec {
    /// Shares of frames, 0 to 1: to lose (1: the link is cut), to send twice, to send late.
    pub loss: f64,
    pub duplicate: f64,
    pub reorder: f64,
    /// Microseconds, one way, up to 60 seconds.
    pub delay_us: f64,
    /// Microseconds, plus or minus; not more than the delay.
    pub jitter_us: f64,
    /// Bits a second, of Ethernet frames; 0: no limit.
    pub rate_bits: f64,
}

/// Both directions; null: nothing is done to it.
#[napi(object, use_nullable = true)]
pub struct FaultsSpec {
    /// From the guest.
    pub egress: Option<FaultSpec>,
    /// Towards it.
    pub ingress: Option<FaultSpec>,
}

/// An endpoint to expect: whoever shows the ticket may hand over its TAP.
#[napi(object)]
pub struct EndpointSpec {
    /// The container's id.
    pub id: String,
    pub network: String,
    pub ticket: String,
    pub address: String,
    pub mac: String,
    /// Bytes, 68 to 65,520.
    pub mtu: u32,
    /// Every port of the gateway's address leads to the host's loopback.
    pub host_access_all: bool,
    /// These ports do.
    pub host_access_ports: Vec<u32>,
    /// Absent: none.
    pub faults: Option<FaultsSpec>,
}

/// A port of the host that opens flows to a guest.
#[napi(object)]
pub struct PublishSpec {
    pub endpoint: String,
    /// tcp | udp
    #[napi(ts_type = "'tcp' | 'udp'")]
    pub protocol: String,
    pub host_address: String,
    /// 0: the kernel chooses.
    pub host_port: u32,
    pub guest_port: u32,
}

/// Counters of one endpoint; rx and tx as the guest sees them.
#[napi(object, use_nullable = true)]
pub struct EndpointStats {
    pub id: String,
    pub address: String,
    pub attached: bool,
    /// vnet-gso-uso | vnet-gso | vnet | plain
    pub device: Option<String>,
    pub rx_frames: f64,
    pub tx_frames: f64,
    pub rx_bytes: f64,
    pub tx_bytes: f64,
    pub flows: u32,
}

#[napi(object)]
pub struct StackSnapshot {
    pub endpoints: Vec<EndpointStats>,
    pub counters: HashMap<String, f64>,
    /// Why frames and flows ended, by reason; reasons that never happened are absent.
    pub drops: HashMap<String, f64>,
    pub flows: f64,
}

/// Flows that anybody may ask for.
const MAX_FLOWS_LIMIT: u32 = 1_000_000;

/// The engine: a thread that carries the packets of all guests. Methods throw an `Error` whose `code` is EINVAL, ENOENT, EEXIST,
/// EADDRINUSE, EACCES, EADDRNOTAVAIL, EMFILE, EIO, or ESTOPPED once the engine is gone.
#[napi]
pub struct Stack {
    engine: Option<Engine>,
}

#[napi]
impl Stack {
    /// Starts the engine. `onEvents` says that there is something: call `drainEvents`, then `drainDns`, until they give
    /// nothing.
    #[napi(constructor, catch_unwind)]
    pub fn new(options: StackOptions, on_events: Function<(), ()>) -> Result<Self> {
        if options.max_flows.is_some_and(|flows| flows == 0 || flows > MAX_FLOWS_LIMIT) {
            return Err(invalid("maxFlows: 1 to 1000000"));
        }
        // One call is enough to say "there is something", so a full queue loses nothing; weak, so that a process that wants to end may.
        let tell = on_events
            .build_threadsafe_function()
            .callee_handled::<false>()
            .weak::<true>()
            .max_queue_size::<1>()
            .build()
            .map_err(|error| invalid(&error.to_string()))?;
        let options = EngineOptions {
            handoff_socket: PathBuf::from(options.handoff_socket),
            max_flows: options.max_flows.map(|flows| flows as usize),
        };
        let engine = Engine::start(
            &options,
            Box::new(move || {
                tell.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }),
        );
        Ok(Self { engine: Some(engine.map_err(|error| failed(&error))?) })
    }

    fn engine(&self) -> Result<&Engine> {
        self.engine.as_ref().ok_or_else(|| failed(&EngineError::Stopped))
    }

    /// Up to `max` events, oldest first.
    #[napi(catch_unwind)]
    pub fn drain_events(&self, max: u32) -> Vec<StackEvent> {
        self.engine.iter().flat_map(|engine| engine.drain_events(max as usize)).map(StackEvent::from).collect()
    }

    #[napi(catch_unwind)]
    pub fn add_network(&self, spec: NetworkSpec) -> Result<()> {
        let (address, prefix) = subnet(&spec.subnet)?;
        let spec = engine::NetworkSpec {
            id: spec.id,
            subnet: address,
            prefix,
            gateway: ipv4(&spec.gateway, "gateway")?,
            gateway_mac: mac(&spec.gateway_mac)?,
            mtu: port(spec.mtu, "mtu: 68 to 65520")?,
        };
        self.engine()?.add_network(spec).map_err(|error| failed(&error))
    }

    #[napi(catch_unwind)]
    pub fn remove_network(&self, id: String) -> Result<()> {
        self.engine()?.remove_network(id).map_err(|error| failed(&error))
    }

    /// Expects a launcher with this ticket. The ticket stays good for the same launcher's return.
    #[napi(catch_unwind)]
    pub fn expect_endpoint(&self, spec: EndpointSpec) -> Result<()> {
        let host_access = if spec.host_access_all {
            HostAccess::All
        } else if spec.host_access_ports.is_empty() {
            HostAccess::None
        } else {
            let ports = spec.host_access_ports.iter().map(|&number| port(number, "host access port"));
            HostAccess::Ports(ports.collect::<Result<_>>()?)
        };
        let faults = spec.faults.as_ref().map_or(Ok(engine::FaultsSpec::default()), faults)?;
        let spec = engine::EndpointSpec {
            id: spec.id,
            network: spec.network,
            ticket: spec.ticket,
            address: ipv4(&spec.address, "address")?,
            mac: mac(&spec.mac)?,
            mtu: port(spec.mtu, "mtu: 68 to 65520")?,
            host_access,
            faults,
        };
        self.engine()?.expect_endpoint(spec).map_err(|error| failed(&error))
    }

    /// Closes the endpoint's TAP, flows and published ports. Dropping what is not there is no error.
    #[napi(catch_unwind)]
    pub fn drop_endpoint(&self, id: String) -> Result<()> {
        self.engine()?.drop_endpoint(id).map_err(|error| failed(&error))
    }

    /// What an endpoint's link does to frames from now on, whatever it did before.
    #[napi(catch_unwind)]
    pub fn set_faults(&self, endpoint: String, spec: FaultsSpec) -> Result<()> {
        let spec = faults(&spec)?;
        self.engine()?.set_faults(endpoint, spec).map_err(|error| failed(&error))
    }

    /// The same for frames from `a` to `b` (egress) and from `b` to `a` (ingress), and for no others.
    #[napi(catch_unwind)]
    pub fn set_faults_between(&self, a: String, b: String, spec: FaultsSpec) -> Result<()> {
        let spec = faults(&spec)?;
        self.engine()?.set_faults_between(a, b, spec).map_err(|error| failed(&error))
    }

    /// Lets the command start.
    #[napi(catch_unwind)]
    pub fn release(&self, id: String) -> Result<()> {
        self.engine()?.release(id).map_err(|error| failed(&error))
    }

    /// Has the launcher print `unet: MESSAGE` and end with status 125.
    #[napi(catch_unwind)]
    pub fn abort(&self, id: String, message: String) -> Result<()> {
        self.engine()?.abort(id, message).map_err(|error| failed(&error))
    }

    /// Sends a signal to the command; SIGKILL ends everything inside.
    #[napi(catch_unwind)]
    pub fn signal_guest(&self, id: String, signal: i32) -> Result<()> {
        if !(1..=64).contains(&signal) {
            return Err(invalid("signal: 1 to 64"));
        }
        self.engine()?.signal_guest(id, signal).map_err(|error| failed(&error))
    }

    /// Binds a port of the host and says which it became.
    #[napi(catch_unwind)]
    pub fn publish(&self, spec: PublishSpec) -> Result<u32> {
        let port = self.engine()?.publish(publish_spec(spec)?).map_err(|error| failed(&error))?;
        Ok(u32::from(port))
    }

    /// Takes a published port back (`hostPort` as `publish` answered it). Connections through it go on.
    #[napi(catch_unwind)]
    pub fn unpublish(&self, spec: PublishSpec) -> Result<()> {
        self.engine()?.unpublish(publish_spec(spec)?).map_err(|error| failed(&error))
    }

    /// Writes what guests ask and answer into `arena`, and says how many bytes that is: at most `max` records, which are
    /// those of `engine/src/dns/seam.rs`. Call until there are none.
    #[napi(catch_unwind)]
    pub fn drain_dns(&self, mut arena: BufferSlice<'_>, max: u32) -> Result<u32> {
        if arena.len() < engine::SMALLEST_ARENA {
            return Err(invalid("arena: too small"));
        }
        let used = self.engine.as_ref().map_or(0, |engine| engine.drain_dns(&mut arena, max as usize));
        Ok(u32::try_from(used).unwrap_or(0))
    }

    /// Answers questions: the records in the first `length` bytes.
    #[napi(catch_unwind)]
    pub fn answer_dns(&self, records: BufferSlice<'_>, length: u32) -> Result<()> {
        let records = records.get(..length as usize).ok_or_else(|| invalid("length"))?;
        self.engine()?.answer_dns(records.to_vec()).map_err(|error| failed(&error))
    }

    /// Asks the DNS server of the guest that has this address, and gives back the question's number, under which a record brings the
    /// reply, or says within seconds that there is none.
    #[napi(catch_unwind)]
    pub fn ask_guest(&self, network: String, address: String, message: BufferSlice<'_>) -> Result<f64> {
        let address = ipv4(&address, "address")?;
        let query = self.engine()?.ask_guest(network, address, message.to_vec()).map_err(|error| failed(&error))?;
        Ok(number(query))
    }

    #[napi(catch_unwind)]
    pub fn snapshot(&self) -> Result<StackSnapshot> {
        let snapshot = self.engine()?.snapshot().map_err(|error| failed(&error))?;
        let named =
            |list: Vec<(&'static str, u64)>| list.into_iter().map(|(name, n)| (name.to_owned(), number(n))).collect();
        let endpoints = snapshot.endpoints.into_iter().map(|endpoint| EndpointStats {
            id: endpoint.id,
            address: endpoint.address,
            attached: endpoint.attached,
            device: endpoint.device.map(str::to_owned),
            rx_frames: number(endpoint.rx_frames),
            tx_frames: number(endpoint.tx_frames),
            rx_bytes: number(endpoint.rx_bytes),
            tx_bytes: number(endpoint.tx_bytes),
            flows: endpoint.flows,
        });
        Ok(StackSnapshot {
            endpoints: endpoints.collect(),
            counters: named(snapshot.counters),
            drops: named(snapshot.drops),
            flows: number(snapshot.flows as u64),
        })
    }

    /// Makes the engine's thread panic, for tests of what the owner does then.
    #[napi(catch_unwind)]
    pub fn panic_for_test(&self) -> Result<()> {
        self.engine()?.panic_for_test().map_err(|error| failed(&error))
    }

    /// Ends the engine and waits for it. Every later call throws ESTOPPED.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            engine.close();
        }
    }
}

fn publish_spec(spec: PublishSpec) -> Result<engine::PublishSpec> {
    let protocol = match spec.protocol.as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return Err(invalid("protocol: tcp or udp")),
    };
    let address = ip(&spec.host_address, "hostAddress")?;
    Ok(engine::PublishSpec {
        endpoint: spec.endpoint,
        protocol,
        host: SocketAddr::new(address, port(spec.host_port, "hostPort: 0 to 65535")?),
        guest_port: port(spec.guest_port, "guestPort: 1 to 65535")?,
    })
}
