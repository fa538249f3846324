package control

// Drained is the answer to POST /drain?deadline=2m: what became of the pods of this node. DELETE /drain takes the cordon back
// and answers with nothing.
type Drained struct {
	Cordoned bool     `json:"cordoned"`          // the node takes no new pods now
	Evicted  []string `json:"evicted,omitempty"` // namespace/name
	Stayed   []Stayed `json:"stayed,omitempty"`  // without those of DaemonSets, mirror pods and those that have ended
	Nowhere  bool     `json:"nowhere,omitempty"` // no other node takes pods, so nothing was done at all
}

// Stayed is a pod that is still there.
type Stayed struct {
	Pod    string `json:"pod"` // namespace/name
	Reason string `json:"reason"`
}
