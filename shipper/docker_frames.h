/*
 * docker_frames.h - the body of the Engine's `/containers/ID/logs?timestamps=1`: messages of a container.
 *
 *   without a terminal  | stream u8 (1 stdout, 2 stderr) | 0 0 0 | len u32, big-endian | message, len bytes
 *   with one            | message, one behind the other, all of stdout
 *   message             | RFC 3339 time | ' ' | text | '\n', but where the text goes on in the stream's next message
 * A text that goes on has 16 KiB: that is how, with a terminal, the next message is told from it. Some Engines leave out the
 * newline of a line's last piece, which is shorter.
 *
 * Ownership  Texts given to the function are borrowed until it returns.
 * Errors     CW_E_CORRUPT: no such body. Any bytes are safe.
 */
#ifndef CW_SHIPPER_DOCKER_FRAMES_H
#define CW_SHIPPER_DOCKER_FRAMES_H
#include "common/base/buf.h"
#include "shipper/docker_line.h"

/* Far over what the Engine sends at once. */
#define CW_DOCKER_FRAME_BYTES (1u << 20)

struct cw_docker_frames {
    bool tty;
    struct cw_buf rest; /* of a message that has not come whole */
};

typedef void (*cw_docker_message_fn)(void *arg, const struct cw_docker_line *message);

void cw_docker_frames_init(struct cw_docker_frames *frames, bool tty);
void cw_docker_frames_fini(struct cw_docker_frames *frames);
/* The next bytes of the body, cut anywhere. */
int cw_docker_frames_feed(struct cw_docker_frames *frames, struct cw_str bytes,
                          cw_docker_message_fn fn, void *arg, struct cw_err *err) CW_MUST_USE;

#endif
