"""A stranger's program: loads a model folder by MLflow alone, and prints its answers as JSON.

Arguments: the folder, and a file with the rows as JSON. Runs outside the repository, with the model's requirements.
"""

import json
import sys
from pathlib import Path

import mlflow.pyfunc
import pandas as pd

folder, file = sys.argv[1:]
model = mlflow.pyfunc.load_model(folder)
schema = model.metadata.get_input_schema()
rows = pd.DataFrame(json.loads(Path(file).read_text()))
required = [column.name for column in schema.inputs if column.required]
outputs = model.metadata.get_output_schema().inputs
print(
    json.dumps(
        {
            "answers": model.predict(rows).to_dict("records"),
            "without_nullable": model.predict(rows[required]).to_dict("records"),
            "optional": [column.name for column in schema.inputs if not column.required],
            "outputs": {column.name: str(column.type) for column in outputs},
            "code": sys.modules["include"].__file__,
        }
    )
)
