export { renderHostname } from './hostname.js';
export { type HostsLine, type HostsOptions, renderHosts } from './hosts.js';
export { MAX_NAMESERVERS, type ParsedResolvConf, parseResolvConf } from './parse-resolv-conf.js';
export { type ResolvConfOptions, renderResolvConf } from './resolv-conf.js';
