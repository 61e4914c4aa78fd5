// BullMQ: `bullmq.js worker` or the producer's modes of producer.py.
const { Queue, Worker } = require('/opt/bullmq/node_modules/bullmq')
const crypto = require('crypto')
const fs = require('fs')
const os = require('os')

const connection = { host: process.env.REDIS_HOST || 'redis', port: 6379, maxRetriesPerRequest: null }
const ARGUMENT = { user: 'u-1234', n: 42, tags: ['a', 'b'], path: '/data/in/000123.json' }
const CHUNK = 500
const number = (name, otherwise) => Number(process.env[name] ?? otherwise)
const now = () => (performance.timeOrigin + performance.now()) / 1000
const sleep = seconds => new Promise(done => setTimeout(done, seconds * 1000))
const files = {}
const file = name => (files[name] ??= fs.openSync('/rec/' + name, 'a'))
const me = os.hostname()
const recorded = () => fs.readdirSync('/rec').filter(name => name.startsWith('lat.'))
  .reduce((sum, name) => sum + fs.statSync('/rec/' + name).size, 0)

const jobs = {
  noop: async () => { fs.writeSync(file(me), '.') },
  latency: async ({ sentAt }) => { fs.writeSync(file('lat.' + me), (now() - sentAt).toFixed(6) + '\n') },
  brief: async ({ n, seconds }) => {
    const log = file('run.' + me)
    fs.writeSync(log, `s ${n} ${Date.now() / 1000}\n`)
    await sleep(seconds)
    fs.writeSync(log, `e ${n} ${Date.now() / 1000}\n`)
  },
  drill: async ({ job, seconds }) => {
    const log = file('drill.' + me)
    const attempt = crypto.randomBytes(4).toString('hex')
    fs.writeSync(log, `begin ${job} ${attempt} ${Date.now() / 1000}\n`)
    await sleep(seconds)
    fs.writeSync(log, `end ${job} ${attempt} ${Date.now() / 1000}\n`)
  },
  lasting: async ({ n, seconds }) => {
    fs.writeSync(file('long.' + n), 's')
    await sleep(seconds)
    fs.writeSync(file('long.' + n), 'e')
  },
}

function work () {
  const worker = new Worker('bench', job => jobs[job.name](job.data), {
    connection,
    concurrency: number('CONCURRENCY', 50),
    lockDuration: number('LOCK', 30000),
    stalledInterval: number('STALLED', 30000),
    maxStalledCount: number('STALLS', 3),
  })
  worker.on('error', error => console.error(error.message))
}

async function load (queue, opts, single, bulk) {
  await queue.add('noop', { i: -1, p: ARGUMENT }, opts)
  const said = { n: 1 + single + bulk }
  let began = now()
  let cpu = process.cpuUsage()
  for (let i = 0; i < single; i++) await queue.add('noop', { i, p: ARGUMENT }, opts)
  if (single) Object.assign(said, rates('single', single, began, cpu))
  began = now()
  cpu = process.cpuUsage()
  for (let first = 0; first < bulk; first += CHUNK) {
    const some = Math.min(CHUNK, bulk - first)
    await queue.addBulk(Array.from({ length: some }, (_, k) => (
      { name: 'noop', data: { i: first + k, p: ARGUMENT }, opts })))
  }
  if (bulk) Object.assign(said, rates('bulk', bulk, began, cpu))
  return said
}

function rates (name, n, began, cpu) {
  const used = process.cpuUsage(cpu)
  return { [name + '_per_s']: n / (now() - began), [name + '_cpu_us']: (used.user + used.system) / n }
}

async function latency (queue, opts, n, shortest, longest) {
  let missed = 0
  for (let i = 0; i < n; i++) {
    const before = recorded()
    await queue.add('latency', { sentAt: now() }, opts)
    const deadline = now() + 5
    while (recorded() === before && now() < deadline) await sleep(0.002)
    if (recorded() === before) missed++
    await sleep(shortest + Math.random() * (longest - shortest))
  }
  return { sent: n, missed }
}

async function lasting (queue, opts, n, seconds) {
  for (let i = 0; i < n; i++) await queue.add('lasting', { n: i, seconds }, opts)
  return { sent: n }
}

async function feed (queue, opts, rate, seconds) {
  let sent = 0
  const began = now()
  while (!fs.existsSync('/rec/stop')) {
    await queue.add('brief', { n: sent, seconds }, opts)
    sent++
    await sleep(Math.max(0, began + sent / rate - now()))
  }
  return { sent }
}

async function drill (queue, opts, lasts, rate, seconds, every, lasting) {
  const kept = file('submits')
  const began = now()
  const count = Math.floor(lasts * rate)
  for (let n = 0; n < count; n++) {
    await sleep(Math.max(0, began + n / rate - now()))
    const job = 'drill-' + String(n).padStart(6, '0')
    const [work, takes] = n % every === 0 ? ['long', lasting] : ['short', seconds]
    const sent = Date.now() / 1000
    await queue.add('drill', { job, seconds: takes }, { ...opts, jobId: job })
    fs.writeSync(kept, `${job} ${work} ${sent} ${Date.now() / 1000}\n`)
  }
  return { sent: count }
}

async function produce (mode, ...numbers) {
  const queue = new Queue('bench', { connection })
  const opts = { removeOnComplete: true }
  console.log(JSON.stringify(await { load, latency, lasting, feed, drill }[mode](queue, opts, ...numbers)))
  process.exit(0)
}

const [mode, ...words] = process.argv.slice(2)
if (mode === 'worker') work()
else produce(mode, ...words.map(Number))
