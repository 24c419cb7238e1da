export { MAX_NAMESERVERS, type ParsedResolvConf, parseResolvConf } from '../model/resolv-conf.js';
export { renderHostname } from './hostname.js';
export { type HostsLine, type HostsOptions, renderHosts } from './hosts.js';
export { type ResolvConfOptions, renderResolvConf, searchDomains } from './resolv-conf.js';
