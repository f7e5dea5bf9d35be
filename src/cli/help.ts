import {Help} from '@oclif/core'

/** oclif's help, and a first screen that shows what a new user would type. */
export default class KvctlHelp extends Help {
  override formatRoot(): string {
    const examples = [
      ['kvctl quickstart', 'engine, segment, benchmark and report on this machine'],
      ['kvctl list', 'KV-cache segments: limit, used, %'],
      ['kvctl limit vllm-0 8G', "set a segment's limit"],
      ['kvctl kvtop', 'a full screen of segments, GPUs and processes'],
      ['kvctl shell', 'type commands one after another, with history and completion'],
      ['kvctl bench --url http://localhost:8000', 'measure a running server'],
    ].map(([command, meaning]) => `$ ${command!.padEnd(42)} ${meaning!}`)
    return `${super.formatRoot()}\n\n${this.section('EXAMPLES', examples.join('\n'))}`
  }
}
