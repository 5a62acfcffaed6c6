import autocannon from 'autocannon'

// Sends requests to one server for a while, from a process of its own, and says how many were answered.
// Input on argv: address, seconds, JSON of [{ path, headers }].

const [url = '', seconds = '1', requests = '[]'] = process.argv.slice(2)
const result = await autocannon({
  url,
  connections: 32,
  duration: Number(seconds),
  requests: JSON.parse(requests),
})
const { average } = result.requests
const { p50, p99 } = result.latency
console.log(JSON.stringify({ perSecond: average, p50, p99, failed: result.non2xx + result.errors }))
