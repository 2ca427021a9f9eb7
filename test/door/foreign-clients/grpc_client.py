"""Creates a credential and has its secret checked, by grpcio, with messages made from what reflection (v1alpha) tells.

Environment: ADDRESS, SERVICE_ACCOUNT_ID, ADMINISTRATOR and VERIFIER (bearer tokens). Prints what it heard as JSON.
"""

import json
import os
import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

channel = grpc.insecure_channel(os.environ["ADDRESS"])
database = ProtoReflectionDescriptorDatabase(channel)
pool = DescriptorPool(database)


def call(service, name, token=None, **fields):
    """The answer in proto JSON; of a refusal its code, and the ErrorInfo among its details."""
    method = pool.FindServiceByName(service).FindMethodByName(name)
    response = GetMessageClass(method.output_type)
    send = channel.unary_unary(
        f"/{service}/{name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    try:
        message = GetMessageClass(method.input_type)(**fields)
        return MessageToDict(send(message, metadata=metadata, timeout=30))
    except grpc.RpcError as err:
        info = ErrorInfo()
        status = rpc_status.from_call(err)
        assert any(detail.Unpack(info) for detail in status.details), "no ErrorInfo"
        return {"code": err.code().name, **MessageToDict(info)}


def create(token=None):
    account = os.environ["SERVICE_ACCOUNT_ID"]
    return call("keyturn.v1.CredentialService", "CreateCredential", token, service_account_id=account)


def verify(secret):
    verifier = os.environ["VERIFIER"]
    return call("keyturn.v1.VerificationService", "VerifyCredential", verifier, client_secret=secret)


created = create(os.environ["ADMINISTRATOR"])
secret = created["clientSecret"]
heard = {
    "services": list(database.get_services()),
    "created": created,
    "right": verify(secret),
    "wrong": verify(secret[:-1] + ("A" if secret[-1] != "A" else "B")),
    "anonymous": create(),
    "stranger": create(os.environ["VERIFIER"]),
}
json.dump(heard, sys.stdout)
