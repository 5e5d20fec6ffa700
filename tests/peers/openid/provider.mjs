// A certified OpenID provider (npm: oidc-provider) that issues JWT access tokens to clients of the test.
// Arguments: port, file with its private keys (a JWK set).
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [modules, port, keys] = process.argv.slice(2)
const found = createRequire(pathToFileURL(`${modules}/`)).resolve('oidc-provider')
const { Provider } = await import(pathToFileURL(found))

const client = (name, extra = {}) => ({
  client_id: name,
  client_secret: 'a secret of the test',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  ...extra,
})

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: ['alice', 'bob', 'mallory'].map((name) => client(name)),
  jwks: JSON.parse(readFileSync(keys, 'utf8')),
  // Who the token is about: the claim that the settings of the service name.
  extraTokenClaims: (ctx, token) => ({ preferred_username: `${token.clientId}@example.org` }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      // urn:<audience>:<algorithm>:<seconds>
      getResourceServerInfo: (ctx, resource) => {
        const [, audience, alg, seconds] = resource.split(':')
        return { scope: '', audience, accessTokenTTL: Number(seconds), accessTokenFormat: 'jwt', jwt: { sign: { alg } } }
      },
    },
  },
})
provider.listen(Number(port), '127.0.0.1')
