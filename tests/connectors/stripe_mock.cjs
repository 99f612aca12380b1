// stripe-stateful-mock on a free port of loopback; its own command would listen on every address.
const { createExpressApp } = require('stripe-stateful-mock')

const server = createExpressApp().listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
