// stripe-stateful-mock on a port of loopback; its own command would listen on every address.
const { createExpressApp } = require('stripe-stateful-mock')

const server = createExpressApp().listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log(`port ${server.address().port}`))
