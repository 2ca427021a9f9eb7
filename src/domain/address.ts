import { isIP, isIPv4, SocketAddress } from "node:net";

/**
 * An IP address in the one spelling that is used here, which PostgreSQL's `inet` takes; undefined for what is none.
 * `::ffff:192.0.2.1` is how a dual-stack socket writes an IPv4 peer, and `%eth0` names a link of one machine.
 */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  const plain = text.replace(/%.*$/s, "");
  if (isIP(plain) !== 6) return isIP(plain) === 4 ? plain : undefined;
  const { address } = new SocketAddress({ address: plain, family: "ipv6" });
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}

/**
 * What an IPv4-mapped range such as `::ffff:10.0.0.0/104` stands for; undefined for every other. Addresses are held against
 * ranges in the spelling above, so the mapped one would match none.
 * @param cidr a range whose bits behind its prefix are all zero.
 */
export function ipv4RangeOf(cidr: string): string | undefined {
  const [address = "", prefixLength] = cidr.split("/");
  const ipv4 = canonicalAddress(address);
  if (isIP(address) !== 6 || ipv4 === undefined || isIP(ipv4) !== 4) return undefined;
  return `${ipv4}/${Number(prefixLength) - 96}`;
}
