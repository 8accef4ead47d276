// node mqttjs.cjs PORT VERSION [ws]: one message of each QoS there and back.
const mqtt = require('mqtt')

const [port, version] = process.argv.slice(2, 4).map(Number)
const url = process.argv[4] === 'ws' ? `ws://127.0.0.1:${port}/mqtt` : `mqtt://127.0.0.1:${port}`
const client = mqtt.connect(url, { protocolVersion: version, reconnectPeriod: 0 })
const seen = new Set()

client.on('error', (error) => { console.error(error); process.exit(1) })
client.on('message', (topic, payload) => {
        seen.add(String(payload))
        if (seen.size === 3) client.end(false, {}, () => process.exit(0))
})
client.on('connect', () => client.subscribe('js/#', { qos: 2 }, (error) => {
        if (error) process.exit(1)
        for (const qos of [0, 1, 2]) client.publish('js/' + qos, String(qos), { qos })
}))
