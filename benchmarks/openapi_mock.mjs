// Serves one document with @scalar/mock-server on a free port of loopback, and prints the port.
// It judges requests by the document too, where compiling that does not take minutes.
import { readFileSync } from 'node:fs'
import { serve } from '@hono/node-server'
import { createMockServer } from '@scalar/mock-server'

const text = readFileSync(process.argv[2], 'utf8')
const options = { validateRequest: text.length < 1_000_000, logger: false }
const app = await createMockServer({ document: JSON.parse(text), ...options })
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => console.log(`port ${port}`))
