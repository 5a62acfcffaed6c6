import { createVault } from '../../src/providers/vault.ts'

/** Seals each tenant's id for it, all at once, and tells its parent. For tests of several processes over one key store. */
const [directory = '', ...tenants] = process.argv.slice(2)
const vault = createVault({ directory })
const sealed = await Promise.all(tenants.map((tenant) => vault.seal(tenant, 'a', tenant)))
process.send?.(sealed.map((one) => one.toString('base64')))
