/*
 * Streams made-up chat answers at known times and writes down when it really did: the yardstick of bench/client.ts, with no
 * garbage collector or compiler of its own that could be taken for a client's error.
 *
 *   truth_server TTFT_MS GAP_MS TOKENS
 *
 * prints its port, serves until its stdin ends, then prints a line for each answer: request id, instant at which the request
 * was read, and the instant before each token's write; ms of the monotonic clock.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FD = 4096, MAX_HEAD = 1 << 16, WRITES_AT_ONCE = 4, TEXTS = 64 };

typedef struct Answer {
  struct Answer *next;
  char id[64];
  int sent;
  int64_t received_ns, at_ns[];
} Answer;

typedef struct {
  char *head;
  size_t bytes;
  Answer *answer;
  int64_t due_ns; /* 0 while nothing is being answered */
} Stream;

static Stream streams[MAX_FD];
static int highest_fd, tokens;
static int64_t ttft_ns, gap_ns;
static Answer *done;
static char chunks[TEXTS][256], tail[1024];
static size_t chunk_bytes[TEXTS], tail_bytes;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* An event as a chunk of HTTP; returns its length. */
static size_t frame(char *into, size_t room, const char *json) {
  return snprintf(into, room, "%zx\r\ndata: %s\n\n\r\n", strlen(json) + 8, json);
}

static void prepare(void) {
  char json[240];
  for (int i = 0; i < TEXTS; i++) {
    char text[24];
    snprintf(text, sizeof text, i % 5 == 3 ? " \\\"\u00e9\\\\%d\\n" : " t%d", i);
    snprintf(json, sizeof json,
             "{\"id\":\"chatcmpl-truth\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"truth\",\"choices\":[{"
             "\"index\":0,\"delta\":{\"content\":\"%s\"},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}]}",
             text);
    chunk_bytes[i] = frame(chunks[i], sizeof chunks[i], json);
  }
  snprintf(json, sizeof json,
           "{\"id\":\"chatcmpl-truth\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"truth\",\"choices\":[{"
           "\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"length\",\"token_ids\":null}]}");
  tail_bytes = frame(tail, sizeof tail, json);
  snprintf(json, sizeof json,
           "{\"id\":\"chatcmpl-truth\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":%d,"
           "\"total_tokens\":%d}}",
           tokens, tokens + 3);
  tail_bytes += frame(tail + tail_bytes, sizeof tail - tail_bytes, json);
  tail_bytes += frame(tail + tail_bytes, sizeof tail - tail_bytes, "[DONE]");
  tail_bytes += snprintf(tail + tail_bytes, sizeof tail - tail_bytes, "0\r\n\r\n");
}

static void send_all(int fd, const char *bytes, size_t length) {
  /* Some hundred bytes into an empty socket buffer go whole or not at all. */
  if (send(fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) streams[fd].due_ns = 0;
}

static void begin(int fd, int64_t received_ns) {
  static const char head[] =
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
  Stream *stream = &streams[fd];
  Answer *answer = calloc(1, sizeof *answer + tokens * sizeof answer->at_ns[0]);
  if (!answer) fail("calloc");
  const char *id = strcasestr(stream->head, "x-request-id: ");
  if (id) sscanf(id + 14, "%63[^\r\n]", answer->id);
  answer->received_ns = received_ns;
  stream->answer = answer;
  stream->due_ns = received_ns + ttft_ns;
  send_all(fd, head, sizeof head - 1);
}

static void hang_up(int fd) {
  close(fd);
  free(streams[fd].head);
  memset(&streams[fd], 0, sizeof streams[fd]);
}

static void read_request(int fd) {
  Stream *stream = &streams[fd];
  ssize_t got = recv(fd, stream->head + stream->bytes, MAX_HEAD - 1 - stream->bytes, 0);
  int64_t received_ns = now_ns();
  if (got <= 0) {
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) hang_up(fd);
    return;
  }
  stream->bytes += got;
  stream->head[stream->bytes] = 0;
  char *end = strstr(stream->head, "\r\n\r\n");
  if (!end) return;
  const char *length = strcasestr(stream->head, "content-length: ");
  if (stream->head + stream->bytes < end + 4 + (length ? atoi(length + 16) : 0)) return;
  if (stream->head[0] == 'G') {
    static const char missing[] = "HTTP/1.1 404 X\r\ncontent-length: 2\r\n\r\n{}";
    send_all(fd, missing, sizeof missing - 1);
  } else {
    begin(fd, received_ns);
  }
  stream->bytes = 0;
}

static void write_token(int fd) {
  Stream *stream = &streams[fd];
  Answer *answer = stream->answer;
  int index = answer->sent++;
  answer->at_ns[index] = now_ns();
  stream->due_ns = answer->at_ns[index] + gap_ns;
  send_all(fd, chunks[index % TEXTS], chunk_bytes[index % TEXTS]);
  if (answer->sent < tokens) return;
  send_all(fd, tail, tail_bytes);
  stream->due_ns = 0;
  answer->next = done;
  done = answer;
}

/* Writes a few tokens that are due, so that a request that comes meanwhile is read, and stamped, before the rest.
 * Returns when the next one is due; 0 for none. */
static int64_t write_due(void) {
  int64_t next_ns = 0, now = now_ns();
  int written = 0;
  for (int fd = 0; fd <= highest_fd; fd++) {
    int64_t due_ns = streams[fd].due_ns;
    if (due_ns == 0) continue;
    if (due_ns <= now && written < WRITES_AT_ONCE) {
      write_token(fd);
      written++;
      due_ns = streams[fd].due_ns;
    }
    if (due_ns != 0 && (next_ns == 0 || due_ns < next_ns)) next_ns = due_ns;
  }
  return next_ns;
}

static void tell(void) {
  for (Answer *answer = done; answer; answer = answer->next) {
    printf("%s %.6f", answer->id, answer->received_ns / 1e6);
    for (int i = 0; i < answer->sent; i++) printf(" %.6f", answer->at_ns[i] / 1e6);
    putchar('\n');
  }
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  ttft_ns = strtod(argv[1], NULL) * 1e6;
  gap_ns = strtod(argv[2], NULL) * 1e6;
  tokens = atoi(argv[3]);
  prepare();
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0), one = 1;
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (listener < 0 || epoll < 0 || timer < 0 || bind(listener, (void *)&address, length) || listen(listener, 1024) ||
      getsockname(listener, (void *)&address, &length))
    fail("listen");
  watch(epoll, listener);
  watch(epoll, timer);
  watch(epoll, 0);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    int64_t next_ns = write_due();
    struct itimerspec at = {.it_value = {next_ns / 1000000000, next_ns % 1000000000}};
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL)) fail("timerfd_settime");
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == 0) {
        tell();
        return 0;
      }
      if (fd == timer) {
        uint64_t times;
        if (read(timer, &times, sizeof times) < 0 && errno != EAGAIN) fail("read");
      } else if (fd == listener) {
        int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (socket < 0 || socket >= MAX_FD) continue;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        streams[socket].head = malloc(MAX_HEAD);
        if (!streams[socket].head) fail("malloc");
        if (socket > highest_fd) highest_fd = socket;
        watch(epoll, socket);
      } else {
        read_request(fd);
      }
    }
  }
}
