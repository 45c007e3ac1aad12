// Whose word about the caller do we believe? Peers from a list of addresses and networks; all others are callers themselves.
import { BlockList, isIP } from 'node:net';
import { AssayError } from '../errors.ts';

/** True for the address of a connection's other end that is one of our own proxies. */
export type PeerTrust = (address: string) => boolean;

/** Networks by name. Private ones: RFC 1918, RFC 6598, RFC 4193 and link-local. */
const named: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: [
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '100.64.0.0/10',
    '169.254.0.0/16',
    'fc00::/7',
    'fe80::/10',
  ],
};

/** Answers kept; peers are few, and a look-up in the list is dearer than one in a map. */
const maxKnown = 10_000;

/**
 * Trust in peers. @param list addresses, networks (`10.0.0.0/8`), `loopback`, `private`.
 * @throws AssayError `usage-invalid` for anything else.
 */
export function createPeerTrust(list: readonly string[]): PeerTrust {
  const networks = new BlockList();
  for (const [at, entry] of list.entries()) {
    for (const network of named[entry] ?? [entry]) add(networks, network, `trustedProxies[${at}]`);
  }
  const known = new Map<string, boolean>();
  return (address) => {
    let isTrusted = known.get(address);
    if (isTrusted === undefined) {
      const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
      const version = isIP(plain);
      isTrusted = version !== 0 && networks.check(plain, version === 4 ? 'ipv4' : 'ipv6');
      if (known.size >= maxKnown) known.clear();
      known.set(address, isTrusted);
    }
    return isTrusted;
  };
}

function add(networks: BlockList, network: string, place: string): void {
  const [address = '', length, ...rest] = network.split('/');
  const version = isIP(address);
  const most = version === 4 ? 32 : 128;
  const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (version === 0 || rest.length > 0 || bits < 0 || bits > most) {
    throw new AssayError(
      'usage-invalid',
      `${place} is "${network}", must be an address, a network, loopback or private`,
      {
        fix: 'Write it like 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7.',
      },
    );
  }
  networks.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6');
}
