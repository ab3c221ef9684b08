/*
 * http_socket.h - a raw client socket for tests of the HTTP server: what is sent is exactly what the test says.
 * Every wait ends after HTTP_SOCKET_WAIT_S, so that a server that does not answer fails the test instead of hanging it.
 */
#ifndef CW_TESTS_HTTP_SOCKET_H
#define CW_TESTS_HTTP_SOCKET_H
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/buf.h"

enum { HTTP_SOCKET_WAIT_S = 30 };

/* Connect to "127.0.0.1:1234" or "[::1]:1234". */
static inline int http_socket_connect(const char *address)
{
    char host[80];
    snprintf(host, sizeof host, "%s", address);
    char *colon = strrchr(host, ':');
    CW_ASSERT(colon != NULL);
    *colon = '\0';
    char *name = host;
    if (*name == '[') {
        name++;
        colon[-1] = '\0';
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *info;
    CW_ASSERT(getaddrinfo(name, colon + 1, &hints, &info) == 0);
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval wait = {.tv_sec = HTTP_SOCKET_WAIT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    CW_ASSERT(connect(fd, info->ai_addr, info->ai_addrlen) == 0);
    freeaddrinfo(info);
    return fd;
}

/* All of it, or as much as the peer takes before it closes. */
static inline size_t http_socket_send(int fd, const void *bytes, size_t n)
{
    size_t sent = 0;
    while (sent < n) {
        ssize_t rc = send(fd, (const char *)bytes + sent, n - sent, MSG_NOSIGNAL);
        if (rc <= 0)
            break;
        sent += (size_t)rc;
    }
    return sent;
}

struct http_reply {
    int status; /* 0: the connection ended before an answer */
    bool whole; /* the body came to its end */
    struct cw_buf head, body;
    char value[512]; /* of the header that was asked for last */
};

static inline void http_reply_fini(struct http_reply *reply)
{
    cw_buf_fini(&reply->head);
    cw_buf_fini(&reply->body);
}

/* The value of a header, or "". */
static inline const char *http_reply_header(struct http_reply *reply, const char *name)
{
    size_t n = strlen(name);
    reply->value[0] = '\0';
    for (const char *line = cw_buf_z(&reply->head); (line = strchr(line, '\n')) != NULL;) {
        line++;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            const char *at = line + n + 1 + strspn(line + n + 1, " ");
            snprintf(reply->value, sizeof reply->value, "%.*s", (int)strcspn(at, "\r\n"), at);
        }
    }
    return reply->value;
}

static inline bool http_socket_byte(int fd, char *out)
{
    return recv(fd, out, 1, 0) == 1;
}

static inline bool http_socket_body(int fd, struct cw_buf *body, size_t n)
{
    char chunk[65536];
    while (n > 0) {
        ssize_t rc = recv(fd, chunk, n < sizeof chunk ? n : sizeof chunk, 0);
        if (rc <= 0)
            return false;
        cw_buf_add(body, chunk, (size_t)rc);
        n -= (size_t)rc;
    }
    return true;
}

static inline bool http_socket_chunks(int fd, struct cw_buf *body)
{
    for (;;) {
        char line[32], c;
        size_t n = 0;
        while (n < sizeof line - 1 && http_socket_byte(fd, &c) && c != '\n')
            line[n++] = c;
        line[n] = '\0';
        if (n == 0)
            return false;
        size_t size = strtoul(line, NULL, 16);
        if (!http_socket_body(fd, body, size) || !http_socket_byte(fd, &c) ||
            !http_socket_byte(fd, &c))
            return false;
        if (size == 0)
            return true;
    }
}

/* Read one answer; `no_body` for HEAD. */
static inline struct http_reply http_socket_read(int fd, bool no_body)
{
    struct http_reply reply = {0};
    char c;
    cw_buf_init(&reply.head, 1 << 20);
    cw_buf_init(&reply.body, (size_t)1 << 30);
    do {
        cw_buf_clear(&reply.head);
        while (!(reply.head.len >= 4 &&
                 memcmp(reply.head.ptr + reply.head.len - 4, "\r\n\r\n", 4) == 0)) {
            if (!http_socket_byte(fd, &c))
                return reply;
            cw_buf_addc(&reply.head, c);
        }
        sscanf(cw_buf_z(&reply.head), "HTTP/1.1 %d", &reply.status);
    } while (reply.status == 100);
    if (no_body || reply.status == 204)
        reply.whole = true;
    else if (strcasecmp(http_reply_header(&reply, "Transfer-Encoding"), "chunked") == 0)
        reply.whole = http_socket_chunks(fd, &reply.body);
    else
        reply.whole = http_socket_body(
            fd, &reply.body, strtoul(http_reply_header(&reply, "Content-Length"), NULL, 10));
    return reply;
}

/* Send `request` on a connection of its own and read the answer. */
static inline struct http_reply http_socket_ask(const char *address, const char *request)
{
    int fd = http_socket_connect(address);
    http_socket_send(fd, request, strlen(request));
    struct http_reply reply = http_socket_read(fd, strncmp(request, "HEAD", 4) == 0);
    close(fd);
    return reply;
}

#endif
