// loki_go_client sends its standard input to a server with Grafana's Go client library for Loki's push API (protobuf and
// snappy, in batches, as promtail does), each line as one entry.
//
//	loki_go_client URL [TENANT] < lines
package main

import (
	"bufio"
	"fmt"
	"os"
	"time"

	"github.com/grafana/loki-client-go/loki"
	"github.com/prometheus/common/model"
)

func main() {
	config, err := loki.NewDefaultConfig(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	config.BatchSize = 20000
	config.BatchWait = 100 * time.Millisecond
	if len(os.Args) > 2 {
		config.TenantID = os.Args[2]
	}
	client, err := loki.New(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	in := bufio.NewScanner(os.Stdin)
	start := time.Now()
	for n := 0; in.Scan(); n++ {
		labels := model.LabelSet{"app": "go", "part": model.LabelValue(fmt.Sprint(n % 3))}
		if err := client.Handle(labels, start.Add(time.Duration(n)), in.Text()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	client.Stop() // sends what is left
}
