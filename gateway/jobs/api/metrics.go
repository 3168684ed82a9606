package api

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jobgate/gateway/jobs"
)

// Totals counts executions by status; operations.Service implements it.
type Totals interface {
	Totals(ctx context.Context) (jobs.Counts, error)
}

// collector is the metric of executions by status. No label holds a device or a job.
type collector struct {
	totals     Totals
	executions *prometheus.Desc
}

// collectTimeout bounds the store call at each scrape.
const collectTimeout = 2 * time.Second

// NewCollector returns the collector of jobgate_job_executions. It calls totals at each scrape, and reports nothing on an
// error.
func NewCollector(totals Totals) prometheus.Collector {
	return &collector{totals, prometheus.NewDesc("jobgate_job_executions",
		"Job executions in the store, by status; a thing counts once a job, by its latest execution.", []string{"status"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) { ch <- c.executions }

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	counts, err := c.totals.Totals(ctx)
	if err != nil {
		return
	}
	for status, n := range counts {
		ch <- prometheus.MustNewConstMetric(c.executions, prometheus.GaugeValue, float64(n), jobs.Status(status).String())
	}
}
