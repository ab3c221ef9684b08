/* cli_labels.c - --label NAME=VALUE ... as a set of labels. */
#include "querier/cli/cli.h"

int cw_cli_labels(struct cw_cli *cli, struct cw_labels *out, struct cw_err *err)
{
    const struct cw_config_map *map = &cli->args->labels;
    struct cw_label *pairs = CW_ARENA_ARRAY(cli->arena, struct cw_label, map->n + 1);
    for (size_t i = 0; i < map->n; i++) {
        if (!cw_label_name_valid(map->items[i].name))
            return cw_err_set(err, CW_E_INVALID, "--label: \"%.*s\" is no name of a label",
                              CW_STR_ARG(map->items[i].name));
        pairs[i] = (struct cw_label){map->items[i].name, map->items[i].value};
    }
    return cw_labels_from_pairs(pairs, map->n, out, err);
}
