import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalAddress, ipv4RangeOf } from "../../src/domain/address.ts";

const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  "192.0.2.1": [
    "192.0.2.1",
    "::ffff:192.0.2.1",
    "::FFFF:192.0.2.1",
    "::ffff:c000:201",
    "0:0:0:0:0:ffff:c000:0201",
    "::ffff:192.0.2.1%eth0",
  ],
  "2001:db8::1": [
    "2001:db8::1",
    "2001:DB8::1",
    "2001:0db8:0:0:0:0:0:1",
    "2001:0db8:0000:0000:0000:0000:0000:0001",
    "2001:db8:0::0:0.0.0.1",
  ],
  "fe80::1": ["fe80::1%eth0", "FE80::1%25", "fe80:0::0:1%a%b", "fe80::1%\n"],
  "::": ["::", "0::0", "0:0:0:0:0:0:0:0"],
  "1::4:5:6:7:8": ["1:0:0:4:5:6:7:8", "1::4:5:6:7:8"],
};
for (const [canonical, spellings] of Object.entries(SPELLINGS)) {
  test(`${canonical} has one spelling here, however it was written`, () => {
    for (const spelling of spellings) assert.equal(canonicalAddress(spelling), canonical, spelling);
  });
}

test("what is no address is none", () => {
  const none = ["", " ", "%eth0", "192.0.2", "192.0.2.1/32", "192.0.2.01", "192.0.2.1 ", "192.0.2.1:80"];
  const noneEither = ["[::1]", "::1/128", ":::", "1:2:3:4:5:6:7", "host.example", "::1\0", "fe80::1\n%eth0"];
  for (const text of [...none, ...noneEither]) assert.equal(canonicalAddress(text), undefined, text);
});

test("an IPv4-mapped range is that of IPv4, in each spelling, and no other is", () => {
  for (const [range, ipv4] of Object.entries({
    "::ffff:10.0.0.0/104": "10.0.0.0/8",
    "::FFFF:a00:0/104": "10.0.0.0/8",
    "0:0:0:0:0:ffff:c000:0201/128": "192.0.2.1/32",
    "::ffff:0:0/96": "0.0.0.0/0",
  }))
    assert.equal(ipv4RangeOf(range), ipv4, range);
  for (const range of ["10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "::ffff:0:0:0/96", "64:ff9b::/96"])
    assert.equal(ipv4RangeOf(range), undefined, range);
});
