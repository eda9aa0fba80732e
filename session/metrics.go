package session

import (
	"context"

	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// MetricsResult is the outcome of [Session.Metrics]: what the session uses.
type MetricsResult struct {
	CPUCount   int
	CPUPercent float64 // of all CPUs

	// Bytes.
	MemoryTotal, MemoryUsed int64
	DiskTotal, DiskUsed     int64

	// Received and sent, in kilobytes (and per second).
	ReceiveRate, SendRate float64
	Received, Sent        float64

	// Timestamp is when it was measured, as the service wrote it.
	Timestamp string
	RequestID string
}

// metrics are what travels, in every spelling that services use.
type metrics struct {
	CPUCount   float64 `json:"cpu_count"`
	CPUPercent float64 `json:"cpu_used_pct"`
	MemTotal   float64 `json:"mem_total"`
	MemUsed    float64 `json:"mem_used"`
	DiskTotal  float64 `json:"disk_total"`
	DiskUsed   float64 `json:"disk_used"`
	Timestamp  string  `json:"timestamp"`

	// encoding/json does not mind case, so these are rx_rate_KBps too.
	RxRate    float64 `json:"rx_rate_kbyte_per_s"`
	TxRate    float64 `json:"tx_rate_kbyte_per_s"`
	RxUsed    float64 `json:"rx_used_kbyte"`
	TxUsed    float64 `json:"tx_used_kbyte"`
	RxRateOld float64 `json:"rx_rate_kbps"`
	TxRateOld float64 `json:"tx_rate_kbps"`
	RxUsedOld float64 `json:"rx_used_kb"`
	TxUsedOld float64 `json:"tx_used_kb"`
}

// getMetrics is [wire.GetMetrics] in every spelling.
var getMetrics = wire.Tool[wire.Empty, metrics]{Name: wire.GetMetrics.Name, Repeatable: wire.GetMetrics.Repeatable}

// Metrics measures what the session uses.
func (s *Session) Metrics(ctx context.Context) (*MetricsResult, error) {
	m, meta, err := transport.Call(ctx, s.t, s.ID, getMetrics, wire.Empty{}, 0)
	if err != nil {
		return nil, s.fail(err, "Metrics")
	}
	return &MetricsResult{
		CPUCount: int(m.CPUCount), CPUPercent: m.CPUPercent,
		MemoryTotal: int64(m.MemTotal), MemoryUsed: int64(m.MemUsed),
		DiskTotal: int64(m.DiskTotal), DiskUsed: int64(m.DiskUsed),
		ReceiveRate: max(m.RxRate, m.RxRateOld), SendRate: max(m.TxRate, m.TxRateOld),
		Received: max(m.RxUsed, m.RxUsedOld), Sent: max(m.TxUsed, m.TxUsedOld),
		Timestamp: m.Timestamp, RequestID: meta.RequestID,
	}, nil
}
