"""The expected capability of every product and bucket of every location, by hand.

Written from the titles in the provider's feed, not from the profile: a slip in one of the two shows.
"""

from typing import Final

# Product id -> title in the feed, capability.
PRODUCTS: Final[dict[str, tuple[str, str]]] = {
    "3e2H6fMaAhGSPSSPb8CV": ("AI Platform Training", "machine-learning"),
    "eFCqAnWci3AZiqsz1NjQ": ("AI Platform Prediction", "machine-learning"),
    "duAxoF9U3MBmoAihC67y": ("Access Approval", "identity-and-access"),
    "D6ayar99EiNLHhwcn77V": ("Anthos Service Mesh", "service-mesh"),
    "9Y13BNFy4fJydvjdsN3X": ("Apigee", "api-management"),
    "QbBuuiRdsLpMr9WmGwm5": ("Artifact Registry", "build-and-registry"),
    "Kakg69gTC3xFyeJCY2va": ("Cloud Armor", "network-protection"),
    "fw8GzBdZdqy4THau7e1y": ("Cloud Build", "build-and-registry"),
    "ckSRJf2vQwQy188ULGy3": ("Cloud CDN", "content-delivery"),
    "rLKDHeeaBiXTeutF1air": ("Cloud Data Fusion", "data-integration"),
    "BGJQ6jbGK4kUuBTQFZ1G": ("Cloud Developer Tools", "build-and-registry"),
    "xfbaRzmPSf836WvAy35z": ("Cloud Endpoints", "api-management"),
    "jog4nyYkquiLeSK5s26q": ("Cloud Filestore", "disk-and-file-storage"),
    "CETSkT92V21G6A1x28me": ("Cloud Firestore", "document-and-wide-column-databases"),
    "67cSySTL7dwJZo9JWUGU": ("Cloud Key Management Service", "key-management"),
    "ix7u9beT8ivBdjApTif3": ("Cloud Load Balancing", "load-balancing"),
    "PuCJ6W2ovoDhLcyvZ1xa": ("Cloud Logging", "monitoring-and-logging"),
    "z9PfKanGZYvYNUbnKzRJ": ("Cloud Machine Learning", "machine-learning"),
    "LGPLu3M5pcUAKU1z6eP3": ("Cloud Memorystore", "in-memory-cache"),
    "3zaaDb7antc73BM1UAVT": ("Cloud Monitoring", "monitoring-and-logging"),
    "hCNpnTQHkUCCGxJy35Yq": ("Cloud NAT", "virtual-networks"),
    "9D7d2iNBQWN24zc1VamE": ("Cloud Run", "application-hosting"),
    "EcNGGUgBtBLrtm4mWvqC": ("Cloud Spanner", "relational-databases"),
    "VXydUfMqEtvZxXJFm56a": ("Cloud Talent Solution - Job Search", "ready-made-ai"),
    "pDkm4vkHrT54mm7iSVHm": ("Cloud Vision", "ready-made-ai"),
    "rECkDEKEadgZQkPefibM": ("Container Registry", "build-and-registry"),
    "TFedVRYgKGRGMSJrUpup": ("Data Catalog", "data-integration"),
    "PXZh68NPz9auRyo4tVfy": ("Dataproc Metastore", "data-processing"),
    "ibJgP4CNKnFojHHw8L3s": ("Datastream", "data-integration"),
    "YaFawoMaXnqgY4keUBnW": ("Eventarc", "messaging-and-events"),
    "kchyUtnkMHJWaAva8aYc": ("Google App Engine", "application-hosting"),
    "9CcrhHUcFevXPSVaSxkf": ("Google BigQuery", "data-warehouse"),
    "LfZSuE3xdQU46YMFV5fy": ("Google Cloud Bigtable", "document-and-wide-column-databases"),
    "YxkG5FfcC42cQmvBCk4j": ("Google Cloud Composer", "data-integration"),
    "Wdsr1n5vyDvCt78qEifm": ("Google Cloud Console", "management-console"),
    "TUZUsWSJUVJGW97Jq2sH": ("Google Cloud DNS", "domain-names"),
    "T9bFoXPqG8w8g1YbWTKY": ("Google Cloud Dataflow", "data-processing"),
    "yjXrEg3Yvy26BauMwr69": ("Google Cloud Dataproc", "data-processing"),
    "MaS3dKoqp1oqkea4qB9U": ("Google Cloud Datastore", "document-and-wide-column-databases"),
    "oW4vJ7VNqyxTWNzSHopX": ("Google Cloud Functions", "application-hosting"),
    "uoypgc4GWUyzAKRHPjEv": ("Google Cloud Infrastructure Components", "platform-infrastructure"),
    "VNJxzcH58QmTt5H6pnT6": ("Google Cloud Networking", "virtual-networks"),
    "dFjdLh2v6zuES6t9ADCB": ("Google Cloud Pub/Sub", "messaging-and-events"),
    "hV87iK5DcEXKgWU2kDri": ("Google Cloud SQL", "relational-databases"),
    "Y9fKAQ6BVTQUYomrNN9A": ("Google Cloud Scheduler", "task-scheduling"),
    "UwaYoXQ5bHYHG6EdiPB8": ("Google Cloud Storage", "object-storage"),
    "bGThzF7oEGP5jcuDdMuk": ("Google Cloud Support", "provider-support"),
    "tMWyzhyKK4rAzAf7x62h": ("Google Cloud Tasks", "task-scheduling"),
    "L3ggmi3Jy4xJmgodFA9K": ("Google Compute Engine", "virtual-machines"),
    "LCSbT57h59oR4W98NHuz": ("Google Kubernetes Engine", "kubernetes"),
    "5x6CGnZvSHQZ26KtxpK1": ("Hybrid Connectivity", "hybrid-connectivity"),
    "adnGEDEt9zWzs8uF1oKA": ("Identity and Access Management", "identity-and-access"),
    "DixAowEQm45KgqXKP5tR": ("Operations", "monitoring-and-logging"),
    "SzESm2Ux129pjDGKWD68": ("Persistent Disk", "disk-and-file-storage"),
    "vmq8TsEZwitKYM6V9BaM": ("Service Directory", "service-mesh"),
    "NroZwL2UMMionesUGP87": ("Traffic Director", "service-mesh"),
    "9H6gWUHvb2ZubeoxzQ1Y": ("VMWare engine", "virtual-machines"),
    "sdXM79fz1FS6ekNpu37K": ("Vertex AI Online Prediction", "machine-learning"),
    "baQeYW2fsPA2vvLCqN93": ("Vertex AI Training", "machine-learning"),
    "BSGtCUnz6ZmyajsjgTKv": ("Virtual Private Cloud (VPC)", "virtual-networks"),
}

# Location id -> bucket. The comment is the place that the feed's title names.
LOCATIONS: Final[dict[str, str]] = {
    "asia-east1": "east-asia",  # Taiwan
    "asia-east2": "east-asia",  # Hong Kong
    "asia-northeast1": "east-asia",  # Tokyo
    "asia-northeast2": "east-asia",  # Osaka
    "asia-northeast3": "east-asia",  # Seoul
    "asia-south1": "south-asia",  # Mumbai
    "asia-south2": "south-asia",  # Delhi
    "asia-southeast1": "south-asia",  # Singapore
    "asia-southeast2": "south-asia",  # Jakarta
    "australia-southeast1": "australia",  # Sydney
    "australia-southeast2": "australia",  # Melbourne
    "eu": "europe",  # several
    "europe-central2": "europe",  # Warsaw
    "europe-north1": "europe",  # Finland
    "europe-southwest1": "europe",  # Madrid
    "europe-west1": "europe",  # Belgium
    "europe-west2": "europe",  # London
    "europe-west3": "europe",  # Frankfurt
    "europe-west4": "europe",  # Netherlands
    "europe-west6": "europe",  # Zurich
    "europe-west8": "europe",  # Milan
    "europe-west9": "europe",  # Paris
    "global": "global",
    "northamerica-northeast1": "north-america",  # Montreal
    "northamerica-northeast2": "north-america",  # Toronto
    "southamerica-east1": "south-america",  # Sao Paulo
    "southamerica-west1": "south-america",  # Santiago
    "unspecified": "not-stated",  # ours: the update names no location
    "us": "north-america",  # several
    "us-central1": "north-america",  # Iowa
    "us-east1": "north-america",  # South Carolina
    "us-east4": "north-america",  # Northern Virginia
    "us-east5": "north-america",  # Columbus
    "us-west1": "north-america",  # Oregon
    "us-west2": "north-america",  # Los Angeles
    "us-west3": "north-america",  # Salt Lake City
    "us-west4": "north-america",  # Las Vegas
}
