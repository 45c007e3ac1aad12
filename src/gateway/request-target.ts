// What does a request ask for, and at which host? Reads target and Host field, and refuses what two readers could read in two ways.
import type { CallerRequest } from './caller.ts';
import { headerOf } from './forward-headers.ts';
import { type AskedPath, parseModelPath } from './upstream-path.ts';

/** What a Host field may hold (RFC 3986 section 3.2.2 without user information); nothing is allowed for HTTP/1.0. */
const soundHost = /^([A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(:\d*)?$/;

/** Path, query and host of a request, or what is wrong with it. */
export function parseTarget(req: CallerRequest): { asked: AskedPath; host: string } | string {
  let { target } = req;
  let authority = headerOf(req.headers, 'host') ?? '';
  if (!soundHost.test(authority)) return 'the Host header is no host name with an optional port';
  if (!target.startsWith('/')) {
    const absolute = /^https?:\/\/([^/?#]*)([^#]*)$/i.exec(target);
    if (absolute === null) return 'the request target must be a path';
    const named = absolute[1]!;
    // RFC 9112 section 3.2.2 lets the target win; a caller that keeps to 3.2 sends the same in both, so two hosts are a trick.
    if (authority !== '' && authority.toLowerCase() !== named.toLowerCase())
      return 'target and Host header name two hosts';
    if (!soundHost.test(named)) return 'the host of the request target is none';
    authority = named;
    target = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]!}`;
  }
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const query = question < 0 ? '' : target.slice(question);
  const host = authority.toLowerCase().replace(/:\d*$/, '');
  return { asked: { path, query, model: parseModelPath(path) }, host };
}
