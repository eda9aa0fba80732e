package httpapi

import (
	"context"
	"time"

	"github.com/agb-go/sdk/internal/wire"
)

// getMetrics tells what a session uses. Rates are those since the last call;
// the first call has none to tell.
func getMetrics(ctx context.Context, ws *Workspace, _ wire.Empty) (wire.Metrics, error) {
	m, err := ws.Guest.Metrics(ctx)
	if err != nil {
		return wire.Metrics{}, err
	}
	r := wire.Metrics{
		CPUCount: m.CPUCount, CPUUsedPct: m.CPUUsed, MemTotal: m.MemTotal, MemUsed: m.MemUsed,
		DiskTotal: m.DiskTotal, DiskUsed: m.DiskUsed,
		RxUsed: kbyte(m.Received), TxUsed: kbyte(m.Sent), Timestamp: m.Time.UTC().Format(time.RFC3339),
	}
	if last := ws.swapMetrics(m); last != nil {
		if d := m.Time.Sub(last.Time).Seconds(); d > 0 {
			r.RxRate = max(0, kbyte(m.Received-last.Received)/d)
			r.TxRate = max(0, kbyte(m.Sent-last.Sent)/d)
		}
	}
	return r, nil
}

func kbyte(n int64) float64 { return float64(n) / 1024 }
