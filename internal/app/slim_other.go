//go:build !linux

package app

func forgetBinary() error { return nil }
