package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// verdict says whether an attempt that failed may be repeated.
type verdict struct {
	cost   int // in tokens; 0 means that it may not
	reason string
}

// judge looks at an attempt's answer, or at the error in place of one.
func (k *call) judge(resp *http.Response, err error) verdict {
	if k.ctx.Err() != nil {
		return verdict{}
	}
	if err != nil {
		switch {
		case permanent(err):
			return verdict{}
		case !k.sent() && k.direct != nil:
			return verdict{} // the other route is there
		case !k.sent():
			return verdict{costTransient, "not sent"}
		case k.repeatable || k.insured():
			return verdict{costTransient, "answer lost"}
		}
		return verdict{}
	}
	reason := "status " + strconv.Itoa(resp.StatusCode)
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return verdict{costThrottle, reason}
	case http.StatusServiceUnavailable:
		return verdict{costTransient, reason}
	case http.StatusRequestTimeout, http.StatusTooEarly,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		if k.repeatable || k.insured() {
			return verdict{costTransient, reason}
		}
	}
	return verdict{}
}

// insuranceWait bounds how long a call whose answer was lost waits to learn
// whether it may be repeated.
const insuranceWait = 10 * time.Second

// insured reports whether the call may be repeated though the server may have
// performed it, since that takes equal keys for one call.
func (k *call) insured() bool {
	if k.insurance == "" || k.attempt >= k.client.cfg.Attempts {
		return false
	}
	ctx, cancel := context.WithTimeout(k.ctx, insuranceWait)
	defer cancel()
	if k.client.Can(ctx, k.insurance) != nil {
		return false // the lost answer is what to tell of
	}
	k.unsure = true
	return true
}

// hopeless reports whether the answer that looked worth repeating says that
// nothing will change: the engine's machine cannot isolate a sandbox.
func hopeless(resp *http.Response, body []byte) bool {
	if resp.StatusCode != http.StatusServiceUnavailable {
		return false
	}
	env, err := parseEnvelope(body)
	return err == nil && wire.FaultCode(env.Code, resp.StatusCode, "") == apierr.IsolationUnavailable
}

// permanent reports whether another attempt would end as this one did.
func permanent(err error) bool {
	var ours *apierr.Error
	var dns *net.DNSError
	return errors.As(err, &ours) || untrusted(err) || errors.As(err, &dns) && dns.IsNotFound
}

// untrusted reports whether err means that there is no secure connection to
// the server.
func untrusted(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
		roots        x509.SystemRootsError
	)
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &verification) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) || errors.As(err, &roots)
}

// innermost returns err without the layer in which net/http repeats the URL,
// query and all.
func innermost(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
