// A server of the gauges of a page, by the Go client library, for comparison.
//
//	compare gaugevec|collector PAGE
//
// It reads the lines of data metrics in PAGE (text format 0.0.4) and prints the address where it serves.
package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type sample struct {
	labels []string
	value  float64
}

type family struct {
	name, help string
	labels     []string
	samples    []sample
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The values in these pages hold no quote and no backslash.
func read(path string) []*family {
	file, err := os.Open(path)
	check(err)
	defer file.Close()
	var families []*family
	helps := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if rest, found := strings.CutPrefix(line, "# HELP "); found {
			name, help, _ := strings.Cut(rest, " ")
			helps[name] = help
			continue
		}
		name, rest, found := strings.Cut(line, "{")
		if !found || !strings.HasPrefix(name, "huaweicloud_css_vpcep_") {
			continue
		}
		if len(families) == 0 || families[len(families)-1].name != name {
			families = append(families, &family{name: name, help: helps[name]})
		}
		of := families[len(families)-1]
		labels, value, _ := strings.Cut(rest, "} ")
		parts := strings.Split(labels, "\"")
		one := sample{}
		for i := 0; i+1 < len(parts); i += 2 {
			if len(of.samples) == 0 {
				of.labels = append(of.labels, strings.Trim(parts[i], ",="))
			}
			one.labels = append(one.labels, strings.Clone(parts[i+1]))
		}
		one.value, err = strconv.ParseFloat(value, 64)
		check(err)
		of.samples = append(of.samples, one)
	}
	check(lines.Err())
	return families
}

// collector makes its metrics anew for each scrape, as exporters of foreign systems do.
type collector struct {
	families     []*family
	descriptions []*prometheus.Desc
}

func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, description := range c.descriptions {
		out <- description
	}
}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	for i, of := range c.families {
		for _, s := range of.samples {
			out <- prometheus.MustNewConstMetric(c.descriptions[i], prometheus.GaugeValue, s.value, s.labels...)
		}
	}
}

func main() {
	families := read(os.Args[2])
	registry := prometheus.NewRegistry()
	if os.Args[1] == "gaugevec" {
		for _, of := range families {
			gauges := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: of.name, Help: of.help}, of.labels)
			for _, s := range of.samples {
				gauges.WithLabelValues(s.labels...).Set(s.value)
			}
			registry.MustRegister(gauges)
		}
		families = nil
	} else {
		all := &collector{families: families}
		for _, of := range families {
			all.descriptions = append(all.descriptions, prometheus.NewDesc(of.name, of.help, of.labels, nil))
		}
		registry.MustRegister(all)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr())
	check(http.Serve(listener, promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))
}
