import {execFileSync} from 'node:child_process'
import {mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

/** A key and a certificate for localhost that nobody but itself vouches for, valid for a day. Needs the openssl program. */
export function selfSigned(): {key: Buffer; cert: Buffer} {
  const folder = mkdtempSync(join(tmpdir(), 'kvctl-tls-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  try {
    const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost']
    execFileSync('openssl', [...args, '-keyout', key, '-out', cert], {stdio: 'ignore'})
    return {key: readFileSync(key), cert: readFileSync(cert)}
  } finally {
    rmSync(folder, {recursive: true})
  }
}
