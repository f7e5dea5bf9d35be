"""The streaming client of `vllm bench serve` in few lines: one shared session, lines read as they come, JSON parsed each time.

    python3 aiohttp_client.py PORT STREAMS REQUESTS_PER_STREAM TOKENS

Prints {"ttftMs": {request id: ms}, "gapsMs": [...], "cpuMs": n, "markMs": n}: CPU time since an instant of the machine's
monotonic clock after the first answer of every stream.
See vllm-project/vllm:vllm/benchmarks/lib/endpoint_request_func.py, async_request_openai_chat_completions.
"""
import asyncio
import json
import resource
import sys
import time

import aiohttp

port, streams, per_stream, tokens = (int(value) for value in sys.argv[1:5])
ttft, gaps = {}, []
answered, mark = 0, None


def cpu_ms():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1000


body = {
    "model": "truth",
    "messages": [{"role": "user", "content": "Say something, please."}],
    "max_tokens": tokens,
    "stream": True,
    "stream_options": {"include_usage": True},
}


async def one(session, request_id):
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    started = time.perf_counter()
    last = started
    async with session.post(url, json=body, headers={"x-request-id": request_id}) as response:
        async for line in response.content:
            line = line.strip()
            if not line or not line.startswith(b"data:"):
                continue
            data = line.decode("utf-8").removeprefix("data: ")
            if data == "[DONE]":
                continue
            now = time.perf_counter()
            choices = json.loads(data).get("choices")
            if not choices or not choices[0]["delta"].get("content"):
                continue
            if request_id in ttft:
                gaps.append((now - last) * 1000)
            else:
                ttft[request_id] = (now - started) * 1000
            last = now


def answer():
    global answered, mark
    answered += 1
    if answered == streams:
        mark = (time.monotonic() * 1000, cpu_ms())


async def main():
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=0, force_close=False)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=3600)) as session:

        async def slot(number):
            for turn in range(per_stream):
                await one(session, f"test-{number * per_stream + turn + 1}")
                answer()

        await asyncio.gather(*(slot(number) for number in range(streams)))


asyncio.run(main())
print(json.dumps({"ttftMs": ttft, "gapsMs": gaps, "cpuMs": cpu_ms() - mark[1], "markMs": mark[0]}))
