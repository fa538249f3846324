package join

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// lookAgain is how often requests are looked at that wait for something.
const lookAgain = 10 * time.Second

// reason of our decisions, in the conditions of a request.
const reason = "CoracleJoin"

// approver decides on requests for certificates.
type approver struct {
	client   kubernetes.Interface
	reserved Reserved
	said     map[string]string // why a request waits, by its name
}

// Run decides on what agents ask for until ctx ends.
func Run(ctx context.Context, config *rest.Config, reserved Reserved) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("client of the apiserver: %w", err)
	}
	a := &approver{client: client, reserved: reserved, said: map[string]string{}}
	changed := make(chan struct{}, 1)
	change := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	store, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(client.CertificatesV1().RESTClient(), "certificatesigningrequests", metav1.NamespaceAll, fields.Everything()),
		ObjectType:    &certificatesv1.CertificateSigningRequest{},
		Handler:       cache.ResourceEventHandlerFuncs{AddFunc: func(any) { change() }, UpdateFunc: func(any, any) { change() }},
	})
	go controller.RunWithContext(ctx)
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		var open []*certificatesv1.CertificateSigningRequest
		for _, object := range store.List() {
			if csr := object.(*certificatesv1.CertificateSigningRequest); isOpen(csr) {
				open = append(open, csr)
			}
		}
		if err := a.decide(ctx, open); err != nil && ctx.Err() == nil {
			slog.Warn("requests for certificates are not decided yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-tick.C:
		}
	}
}

// isOpen is whether nobody has decided on a request.
func isOpen(csr *certificatesv1.CertificateSigningRequest) bool {
	return !slices.ContainsFunc(csr.Status.Conditions, func(c certificatesv1.CertificateSigningRequestCondition) bool {
		return c.Type == certificatesv1.CertificateApproved || c.Type == certificatesv1.CertificateDenied
	})
}

// decide decides on requests. Nodes are looked up when there is one that is ours.
func (a *approver) decide(ctx context.Context, open []*certificatesv1.CertificateSigningRequest) error {
	var ours []*certificatesv1.CertificateSigningRequest
	for _, csr := range open {
		if v, _ := judge(csr, nil, a.reserved); v != notOurs {
			ours = append(ours, csr)
		}
	}
	if len(ours) == 0 {
		clear(a.said)
		return nil
	}
	list, err := a.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var nodes []*corev1.Node
	for i := range list.Items {
		nodes = append(nodes, &list.Items[i])
	}
	for _, csr := range ours {
		v, why := judge(csr, nodes, a.reserved)
		if v == wait {
			if a.said[csr.Name] != why {
				a.said[csr.Name] = why
				slog.Warn("a request for a certificate waits", "request", csr.Name, "by", csr.Spec.Username, "because", why)
			}
			continue
		}
		condition := certificatesv1.CertificateSigningRequestCondition{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: reason, Message: why}
		if v == deny {
			condition.Type = certificatesv1.CertificateDenied
		}
		decided := csr.DeepCopy()
		decided.Status.Conditions = append(decided.Status.Conditions, condition)
		_, err := a.client.CertificatesV1().CertificateSigningRequests().UpdateApproval(ctx, csr.Name, decided, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			continue // somebody else has decided
		}
		if err != nil {
			return fmt.Errorf("request %s: %w", csr.Name, err)
		}
		slog.Info("a request for a certificate is decided", "request", csr.Name, "by", csr.Spec.Username, "decision", condition.Type, "because", why)
	}
	return nil
}
