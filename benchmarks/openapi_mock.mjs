// Serves one document with @scalar/mock-server on a free port of loopback, and prints the port.
import { readFileSync } from 'node:fs'
import { serve } from '@hono/node-server'
import { createMockServer } from '@scalar/mock-server'

const app = await createMockServer({ document: JSON.parse(readFileSync(process.argv[2], 'utf8')) })
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => console.log(`port ${port}`))
