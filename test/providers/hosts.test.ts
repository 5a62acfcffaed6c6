import t from 'tap'
import { allowedHostPattern, isAllowedHost } from '../../src/providers/hosts.ts'

const allowed = ['api.example.com', 'models.example.com:8080', '10.0.0.8:80']

t.test('a secret goes where it may, and nowhere that looks like it', async (t) => {
  for (const [address, may] of Object.entries({
    'https://api.example.com/v1': true,
    'https://API.example.com:443/v1': true,
    'http://models.example.com:8080/': true,
    'https://models.example.com:8080/': true,
    'http://10.0.0.8/': true,
    'http://api.example.com/': false,
    'http://api.example.com:443/': false,
    'https://api.example.com:8443/': false,
    'https://api.example.com./': false,
    'https://api.example.com.evil.example/': false,
    'https://evil.example/api.example.com': false,
    'https://api.example.com@evil.example/': false,
    'https://sub.api.example.com/': false,
    'https://example.com/': false,
    'https://models.example.com/': false,
    'https://10.0.0.8/': false,
  })) {
    t.equal(isAllowedHost(new URL(address), allowed), may, address)
  }
  t.notOk(isAllowedHost(new URL('https://api.example.com'), []))
  t.ok(isAllowedHost(new URL('https://api.example.com/'), ['api.example.com:443']))
  t.notOk(
    isAllowedHost(new URL('http://api.example.com:443/'), ['api.example.com:443']),
    'whoever says 443 means https',
  )
})

t.test('an entry is a host, and a port', async (t) => {
  const pattern = new RegExp(allowedHostPattern)
  for (const entry of [...allowed, 'localhost:1', 'a']) t.match(entry, pattern)
  for (const entry of ['', '*', '*.example.com', 'https://a', 'a/b', 'a:', 'a:123456', '-a', 'a.', 'A', 'a b', 'a@b']) {
    t.notMatch(entry, pattern, entry)
  }
})
