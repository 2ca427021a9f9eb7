import { isIP, SocketAddress } from "node:net";

/**
 * An IP address in the one spelling that is used here, which PostgreSQL's `inet` takes; undefined for what is none.
 * `::ffff:192.0.2.1` is how a dual-stack socket writes an IPv4 peer, and `%eth0` names a link of one machine.
 */
export function canonicalAddress(text: string): string | undefined {
  const plain = text.replace(/%.*$/s, "");
  if (isIP(plain) !== 6) return isIP(plain) === 4 ? plain : undefined;
  const { address } = new SocketAddress({ address: plain, family: "ipv6" });
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}
