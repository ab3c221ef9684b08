/*
 * docker_follow.h - one container's log over the Engine API, for containers whose files cannot be read here: followed into a
 * spool of its own (spool_writer.h), which is read as any other.
 *
 *            start                      ends                        start: behind what is in the spool
 *   IDLE ------------> FOLLOWING -----------------> IDLE, `ended` if the Engine ended it
 *                        |   ^
 *       no room, no answer   v   | room, a second
 *                       (broken off, and begun again)     any -- close --> freed
 *
 * The cursor in the spool is a place (docker_place.h): the Engine is asked from there on. A line whose pieces have not all come is in the spool with the last of them; what
 * comes meanwhile on the other stream waits, so that a restart neither repeats nor loses a piece.
 *
 * Ownership  What options name outlives the object; labels are copied.
 * Threads    The loop's.
 */
#ifndef CW_SHIPPER_DOCKER_FOLLOW_H
#define CW_SHIPPER_DOCKER_FOLLOW_H
#include "shipper/discoveries.h"
#include "shipper/docker_api.h"

struct cw_docker_follow;

struct cw_docker_follow_options {
    const struct cw_discovery_host *host;
    const struct cw_scrape *scrape;
    const struct cw_docker_sd_config *config;
    const char *folder; /* of its spool */
    const char *id;
    bool tty;
};

int cw_docker_follow_open(const struct cw_docker_follow_options *options,
                          struct cw_docker_follow **out, struct cw_err *err) CW_MUST_USE;
/* What its entries are labelled with from now on. `found` as for cw_targets_put(). */
void cw_docker_follow_labels(struct cw_docker_follow *stream, const struct cw_found *found);
/* Follow it, unless that is done already. */
void cw_docker_follow_start(struct cw_docker_follow *stream);
/* The Engine said all there is (the container does not run) or can be had, and all is durable. */
bool cw_docker_follow_ended(const struct cw_docker_follow *stream);
/* Each second or so: delete what is settled, try again what broke off. */
void cw_docker_follow_tick(struct cw_docker_follow *stream, int64_t now_ns);
/* All that the spool holds is settled. */
bool cw_docker_follow_settled(const struct cw_docker_follow *stream);
enum cw_docker_follow_spool { CW_DOCKER_FOLLOW_KEEP, CW_DOCKER_FOLLOW_REMOVE };
void cw_docker_follow_close(struct cw_docker_follow **stream, enum cw_docker_follow_spool spool);

#endif
