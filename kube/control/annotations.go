package control

// Annotations of a node, in which kube tells other parts of the cluster, and itself at its next start, what it cannot know.
const (
	AnnotationAPIPort     = "coracle.dev/machine-api-port" // of the machine API, at the node's InternalIP; decimal
	AnnotationFingerprint = "coracle.dev/machine-key"      // fingerprint of the machine's key: SHA256:…
	// AnnotationCordoned is on a node that was cordoned to be drained, and says by what. kube takes it off at its next start,
	// and the cordon with it. A cordon without it is a person's, and stays.
	AnnotationCordoned = "coracle.dev/cordoned-by"
)
