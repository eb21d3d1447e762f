//go:build tools

// Package store names the log store that the tests start: `go build` finds its version in go.mod.
package store

import _ "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs"
