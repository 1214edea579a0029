import 'reflect-metadata'
import { randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import { X509CertificateGenerator } from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const YEAR_MS = 365 * 24 * 3_600_000

/** A certificate that nobody has to trust but by its fingerprint. It lasts as long as the server that made it. */
export async function makeCertificate(): Promise<{ key: string; cert: string; fingerprint: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: randomBytes(16).toString('hex'),
      name: 'CN=skein home',
      // Pods live on machines with clocks of their own; the runner looks at the fingerprint alone.
      notBefore: new Date(Date.now() - YEAR_MS),
      notAfter: new Date(Date.now() + 10 * YEAR_MS),
      signingAlgorithm: ALGORITHM,
      keys,
    },
    webcrypto as typeof globalThis.crypto,
  )
  const cert = certificate.toString('pem')
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  const key = `-----BEGIN PRIVATE KEY-----\n${der.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`
  return { key, cert, fingerprint: new X509Certificate(cert).fingerprint256 }
}
