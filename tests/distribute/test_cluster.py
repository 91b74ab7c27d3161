"""Who the workers of a run are, from what TF_CONFIG and SLURM say."""

import json
import signal

import pytest
import yaml
from helpers.paths import ROOT

from lightning_tf.distribute.cluster import Cluster
from lightning_tf.exceptions import TRY_AGAIN, ConfigurationError

SLURM = {
    "SLURM_STEP_NUM_TASKS": "5",
    "SLURM_PROCID": "3",
    "SLURM_JOB_ID": "1234",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NODELIST": "n[2,10],gpu07",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
}


def tf_config(cluster, kind, index):
    task = {"type": kind, "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


def test_no_environment_is_no_cluster():
    assert Cluster.from_environment({}) is None


def test_one_worker_is_no_cluster():
    assert Cluster.from_environment(tf_config({"worker": ["a:1"]}, "worker", 0)) is None
    assert Cluster.from_environment({"TF_CONFIG": "{}"}) is None


def test_tf_config_gives_addresses_and_the_index():
    cluster = Cluster.from_environment(tf_config({"worker": ["a:1", "b:2"]}, "worker", 1))
    assert cluster == Cluster(("a:1", "b:2"), 1)
    assert cluster.address == "b:2"


def test_a_chief_comes_before_the_workers():
    cluster = {"worker": ["a:1", "b:2"], "chief": ["c:3"]}
    assert Cluster.from_environment(tf_config(cluster, "chief", 0)) == Cluster(
        ("c:3", "a:1", "b:2"), 0
    )
    assert Cluster.from_environment(tf_config(cluster, "worker", 1)).index == 2


def test_what_a_cluster_writes_as_tf_config_it_reads():
    cluster = Cluster(("a:1", "b:2"), 1)
    assert Cluster.from_environment({"TF_CONFIG": cluster.tf_config()}) == cluster


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"TF_CONFIG": "{'worker'"}, "is not what TensorFlow writes"),
        ({"TF_CONFIG": '{"cluster": {"worker": ["a:1", "b:2"]}}'}, "is not what TensorFlow writes"),
        (tf_config({"worker": ["a:1"], "ps": ["b:2"]}, "worker", 0), "names ps"),
        (tf_config({"worker": ["a:1", "b:2"]}, "worker", 2), "worker 2"),
        (tf_config({"worker": ["a:1", "b:2"]}, "chief", 0), "chief 0"),
    ],
)
def test_a_wrong_tf_config_is_refused(environment, message):
    with pytest.raises(ConfigurationError, match=message):
        Cluster.from_environment(environment)


def test_slurm_gives_hosts_in_its_own_order_and_a_port_for_each_task():
    cluster = Cluster.from_environment(SLURM)
    hosts = [address.split(":")[0] for address in cluster.addresses]
    assert hosts == ["n2", "n2", "n10", "n10", "gpu07"]
    assert cluster.index == 3
    assert len(set(cluster.addresses)) == 5
    others = [Cluster.from_environment({**SLURM, "SLURM_PROCID": str(i)}) for i in range(5)]
    assert {other.addresses for other in others} == {cluster.addresses}
    assert [other.is_first_on_host for other in others] == [True, False, True, False, True]


def test_slurm_names_keep_their_zeros():
    environment = {
        **SLURM,
        "SLURM_STEP_NODELIST": "node[098-100]-ib,m",
        "SLURM_STEP_TASKS_PER_NODE": "1(x3),2",
    }
    hosts = [a.split(":")[0] for a in Cluster.from_environment(environment).addresses]
    assert hosts == ["node098-ib", "node099-ib", "node100-ib", "m", "m"]


def test_a_batch_script_without_srun_is_one_worker():
    assert Cluster.from_environment({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) is None


def test_tasks_in_another_order_are_refused():
    with pytest.raises(ConfigurationError, match="--distribution=block"):
        Cluster.from_environment({**SLURM, "SLURMD_NODENAME": "n2"})


def test_a_missing_variable_of_slurm_is_named():
    environment = {name: value for name, value in SLURM.items() if name != "SLURM_STEP_NODELIST"}
    with pytest.raises(ConfigurationError, match="SLURM_STEP_NODELIST"):
        Cluster.from_environment(environment)


POD = {  # as Kubernetes and scripts/cluster/indexed_job.yaml set them
    "JOB_COMPLETION_INDEX": "1",
    "HOSTNAME": "lightning-tf-1",
    "LIGHTNING_TF_WORKERS": "2",
    "LIGHTNING_TF_SERVICE": "lightning-tf:2222",
}


def test_a_pod_of_an_indexed_job_finds_the_others_by_their_names():
    addresses = ("lightning-tf-0.lightning-tf:2222", "lightning-tf-1.lightning-tf:2222")
    assert Cluster.from_environment(POD) == Cluster(addresses, 1)


def test_an_index_alone_is_no_cluster():
    pod = {name: POD[name] for name in ("JOB_COMPLETION_INDEX", "HOSTNAME")}
    assert Cluster.from_environment(pod) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"JOB_COMPLETION_INDEX": "2"},
        {"JOB_COMPLETION_INDEX": ""},
        {"HOSTNAME": "somewhere"},
        {"LIGHTNING_TF_WORKERS": "two"},
        {"LIGHTNING_TF_SERVICE": "lightning-tf"},
    ],
)
def test_a_pod_whose_variables_do_not_fit_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=r"indexed_job\.yaml"):
        Cluster.from_environment({**POD, **wrong})


def manifests(name):
    return list(yaml.safe_load_all((ROOT / "scripts" / "cluster" / name).read_text()))


def test_the_manifest_of_the_indexed_job_gives_its_pods_what_a_cluster_reads():
    service, job = manifests("indexed_job.yaml")
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    name, count = job["metadata"]["name"], spec["completions"]
    assert spec["completionMode"] == "Indexed"
    assert spec["parallelism"] == count  # all at once, or they wait for each other for ever
    for index in range(count):
        set_by_kubernetes = {"JOB_COMPLETION_INDEX": str(index), "HOSTNAME": f"{name}-{index}"}
        given = {each["name"]: each["value"] for each in container["env"]}
        cluster = Cluster.from_environment({**set_by_kubernetes, **given})
        assert (len(cluster.addresses), cluster.index) == (count, index)
        # <host name>.<subdomain>, which a headless Service of that name resolves
        host, port = cluster.address.split(":")
        assert host == f"{name}-{index}.{pod['subdomain']}"
        assert int(port) == container["ports"][0]["containerPort"]

    assert service["metadata"]["name"] == pod["subdomain"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"] == {"job-name": name}
    assert service["spec"]["ports"][0]["port"] == container["ports"][0]["containerPort"]

    (fails,) = [r for r in spec["podFailurePolicy"]["rules"] if r["action"] == "FailJob"]
    assert pod["restartPolicy"] == "Never"  # else Kubernetes refuses a podFailurePolicy
    assert fails["onExitCodes"]["containerName"] == container["name"]
    assert fails["onExitCodes"]["operator"] == "NotIn"
    assert fails["onExitCodes"]["values"] == [128 + signal.SIGKILL, TRY_AGAIN]


def test_the_manifest_of_the_operator_starts_workers_again():
    (job,) = manifests("tfjob.yaml")
    worker = job["spec"]["tfReplicaSpecs"]["Worker"]
    assert worker["restartPolicy"] == "OnFailure"
    assert job["spec"]["runPolicy"]["backoffLimit"] > 0
    volumes = {each["name"] for each in worker["template"]["spec"]["volumes"]}
    (container,) = worker["template"]["spec"]["containers"]
    assert container["name"] == "tensorflow"
    assert {each["name"] for each in container["volumeMounts"]} == volumes
