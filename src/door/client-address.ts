import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";
import { canonicalAddress } from "../domain/address.ts";

/**
 * Whose call it is: from the peer of its connection (an IP literal without a port) and the lines of its
 * `X-Forwarded-For`, joined by commas. Plain, and `undefined` once the peer has gone.
 */
export type ClientAddressOf = (
  peer: string | undefined,
  forwardedFor: string | undefined,
) => string | undefined;

const HEADER_CHARACTERS_MAX = 2048;
const HEADER_ENTRIES_MAX = 32;

/**
 * Every proxy appends the address that it was called from, so the header is read from its end, for as long as the one
 * who wrote is trusted: the first stranger is the client, and what stands before him is his own invention. Where a
 * trusted hop left something that is no address, nothing before it can be believed, and the hop itself is taken.
 *
 * @param trustedProxies addresses and CIDRs, IPv4 and IPv6. None: the header is ignored.
 * @throws TypeError or RangeError for one that is neither.
 */
export function createClientAddress(trustedProxies: readonly string[]): ClientAddressOf {
  const isTrusted = trustIn(trustedProxies);
  return (peer, forwardedFor) => {
    // Of a peer that has gone nothing is known.
    const nearest = peer === undefined ? undefined : canonicalAddress(peer);
    if (nearest === undefined || forwardedFor === undefined || !isTrusted(nearest)) return nearest;
    let hop = nearest;
    for (const entry of entriesFromTheEnd(forwardedFor)) {
      const before = addressIn(entry);
      if (before === undefined) return hop;
      hop = before;
      if (!isTrusted(hop)) return hop;
    }
    return hop;
  };
}

function trustIn(proxies: readonly string[]): (address: string) => boolean {
  const trusted = new BlockList();
  for (const proxy of proxies) {
    const [, address = "", prefix] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(proxy) ?? [];
    if (isIP(address) === 0) throw new TypeError("a trusted proxy is neither an address nor a CIDR");
    if (prefix === undefined) trusted.addAddress(address, familyOf(address));
    else trusted.addSubnet(address, Number(prefix), familyOf(address));
  }
  return (address) => trusted.check(address, familyOf(address));
}

const familyOf = (address: string) => (isIPv6(address) ? "ipv6" : "ipv4");

/**
 * The last entries, which is where trusted proxies write. A header that a stranger made long says no less there; the
 * piece of an entry that the bound cuts off is left out.
 */
function entriesFromTheEnd(forwardedFor: string): readonly string[] {
  const end = forwardedFor.slice(-HEADER_CHARACTERS_MAX);
  const entries = end.split(",");
  const whole = end.length < forwardedFor.length ? entries.slice(1) : entries;
  return whole.reverse().slice(0, HEADER_ENTRIES_MAX);
}

/** `192.0.2.1`, `[2001:db8::1]`, both with a port that some proxies add, or a bare `2001:db8::1`. */
const ENTRY = /^(?:([\d.]+)(?::\d{1,5})?|\[([^\]]+)\](?::\d{1,5})?|([^[\]]+))$/;

function addressIn(entry: string): string | undefined {
  const [, ipv4 = "", bracketed, bare = ""] = ENTRY.exec(entry.trim()) ?? [];
  if (isIPv4(ipv4)) return ipv4;
  const ipv6 = bracketed ?? bare;
  return isIPv6(ipv6) ? canonicalAddress(ipv6) : undefined;
}
