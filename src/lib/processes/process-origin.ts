/** Where a process runs, as far as its control groups tell. */
export interface ProcessOrigin {
  /** 64 hexadecimal digits. */
  readonly containerId: string | null
  /** A Kubernetes pod's, with dashes. */
  readonly podUid: string | null
}

const CONTAINER =
  /(?:\/docker\/|docker-|cri-containerd-|crio-|libpod-|\/kubepods\S*\/)([0-9a-f]{64})(?![0-9a-f])/
const POD = /\bkubepods\S*[/-]pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})/

/**
 * Reads `/proc/PID/cgroup`, of control groups 1 and 2, in the path shapes of Docker, containerd, CRI-O and Podman.
 *
 * @see kubernetes/kubernetes:pkg/kubelet/cm/cgroup_manager_linux.go — systemd's names have underscores for dashes
 */
export function originOfCgroup(text: string): ProcessOrigin {
  return {
    containerId: CONTAINER.exec(text)?.[1] ?? null,
    podUid: POD.exec(text)?.[1]?.replaceAll('_', '-') ?? null,
  }
}
