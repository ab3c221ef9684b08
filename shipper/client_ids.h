/*
 * client_ids.h - what keeps the marks of two clients apart that push to one server and tenant.
 *
 * A store keeps a mark for each tenant, shipper uuid and source: two clients that send different things of a source, because
 * their `selector` or `external_labels` differ, would each take the other's marks for its own, and leave out what is below
 * them. So each has an id, and asks and pushes under the uuid XOR its id. Clients that send the same share one (a line that
 * comes to one server on two ways is stored once). And so has each tenant that entries name, within its client: to a server
 * without tenants (auth_enabled: false) all are one.
 *
 * Ids are in the positions, with what the client was, so that it keeps its marks when it is edited, renamed or moved in the
 * list. A client is taken for the one that
 *   1. sent the same; else  2. had its name; else  3. is the first that is no more.
 * The very first one's id is 0: its marks are those of the uuid.
 * What is edited while another goes on to send what both sent is parted from it (they may be two ways to one server, so that neither
 * may have the other's marks): it begins at the position, which is that of the slowest output, and sends again what its server had
 * beyond. No line is lost.
 *
 * Ownership  Names are borrowed from what they were taken from.
 */
#ifndef CW_SHIPPER_CLIENT_IDS_H
#define CW_SHIPPER_CLIENT_IDS_H
#include "common/base/arena.h"
#include "common/wire/push.h"
#include "shipper/shipper_config.h"

struct cw_known_client {
    struct cw_id128 id;
    uint64_t sends; /* hash of selector, external labels and tenant_id */
    struct cw_str name;
};

/* The clients of a configuration, in its order, in the arena. `known` are those of the last start; `draw` gives new ids. */
struct cw_known_client *cw_client_ids_match(const struct cw_known_client *known, size_t nknown,
                                            const struct cw_config_tables *clients,
                                            struct cw_arena *arena,
                                            void (*draw)(struct cw_id128 *out));
/* The id for entries that name `tenant`; empty: the client's own. */
struct cw_id128 cw_client_tenant_id(const struct cw_id128 *client, struct cw_str tenant);
/* The uuid under which a client of that id pushes. */
struct cw_id128 cw_client_uuid(const struct cw_id128 *shipper, const struct cw_id128 *id);

#endif
