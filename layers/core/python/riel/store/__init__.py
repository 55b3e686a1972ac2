"""DynamoDB and SQS, concretely. The only package besides `app` that knows boto3."""
