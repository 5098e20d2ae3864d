"""The worker: answers the requests of the driver, one after the other, until its input ends."""

import sys
import warnings

from wire import Wire

wire = Wire()


def main():
    # torch announces the removal of torch.ao.quantization with every call; the driver says it once.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\..*")
    from failures import to_message

    session = None
    while True:
        request = wire.receive()
        if request is None:
            return 0
        if "id" not in request:
            # What is left of the samples of a request that failed.
            for tensor in request.get("tensors", []):
                wire.receive_bytes(tensor["bytes"])
            continue
        try:
            if request["method"] == "check":
                import environment

                result = environment.check()
            else:
                if session is None:
                    from session import Session

                    session = Session(wire)
                result = getattr(session, f"do_{request['method']}")(**request["params"])
            wire.send({"id": request["id"], "result": result})
        except KeyboardInterrupt:
            return 130
        except Exception as error:
            wire.send({"id": request["id"], "error": to_message(error)})


if __name__ == "__main__":
    sys.exit(main())
