// Package services runs Kubernetes: it writes kube's settings, starts it in its cgroup, keeps its log and the reason
// of its last end, starts it again, and stops it in order.
//
// kube outlives machined. Its standard error is a file in tmpfs, which a pipe or a socket could not be: after
// machined's death a writer to those is killed by SIGPIPE. The next machined finds the process by its PID file, holds
// it by a pidfd, and reads on in the same file. See [Log] for how the file stays small.
package services
