"""ament_python package: colcon builds it on a ROS 2 machine, pip anywhere else."""

import re
from itertools import chain
from pathlib import Path

from setuptools import find_packages, setup

NAME = 'emma_planner'
# torch is not pinned here: see CONTRIBUTING.md for how the Makefile installs it first
OPENCV = 'opencv-python-headless>=4.5.4,<5'  # 5 changed type codes that converters rely on
ROS = ['ros-rclpy[fastrtps]>=9.1', 'ros-common-interfaces>=5.5', OPENCV, 'rosbags-image>=0.10']
MODELS = [
    'torch>=2.6',
    'transformers>=5.0,<6',
    'llguidance>=1.3',
    'pillow>=9.0',
    OPENCV,
    'rosbags-image>=0.10',
]
EXTRAS = {
    'ros': ROS,
    'models': MODELS,
    'serve': ['transformers[serving]>=5.0,<6', 'pillow>=9.0'],
    'sim': [
        'metadrive-simulator==0.4.3; python_version < "3.12"',
        'panda3d==1.10.13; python_version < "3.12"',
        OPENCV,
        # the simulator asks for it: the same release beside the headless one, not OpenCV 5
        OPENCV.replace('-headless', ''),
        'pillow>=9.0',
    ],
    'train': [*MODELS, 'accelerate>=1.0', 'peft>=0.13', 'datasets>=3.0', 'tensorboard>=2.14'],
    'eval': ['nuscenes-devkit>=1.1.11'],
    'report': ['matplotlib>=3.6', 'jinja2>=3.0', 'pillow>=9.0', OPENCV],
    'scale': ['ray>=2.9'],
    'tune': ['torchao>=0.10'],
    'dev': [
        'pytest>=7.4',
        'pytest-timeout>=2.1',
        'ruff>=0.17,<0.18',  # a newer formatter may lay code out differently
        'mypy>=1.11',
        'import-linter>=2.0',
        'types-PyYAML',
        'playwright>=1.40',  # with the Chromium of the system
    ],
    'test': ['pytest'],  # colcon test runs pytest only where it finds this extra
}


def _version() -> str:
    text = Path(NAME, '__init__.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE)[1]


def _files(folder: str, *patterns: str) -> tuple[str, list[str]]:
    found = chain.from_iterable(Path(folder).glob(pattern) for pattern in patterns)
    return f'share/{NAME}/{folder}', sorted(map(str, found))


setup(
    name=NAME,
    version=_version(),
    description='A ROS 2 planner that lets a multimodal language model drive',
    long_description='See README.md.',
    license='Apache-2.0',
    maintainer='emma_planner maintainers',
    maintainer_email='maintainers@emma-planner.example',
    python_requires='>=3.10',
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        _files('launch', '*.launch.py'),
        _files('config', '*.yaml', '*.xml'),
        _files('config/training', '*.yaml'),
        _files('config/evaluation', '*.yaml'),
        _files('config/report', '*.jinja'),
        _files('config/rviz', '*.rviz'),
        _files('recording/drive', '*.mcap', '*.yaml'),
        _files('models/emma-small', '*.json', '*.jinja', '*.md', '*.safetensors'),
    ],
    install_requires=['setuptools', 'numpy>=1.21', 'PyYAML>=5.4', 'rosbags>=0.11'],
    extras_require=EXTRAS,
    zip_safe=True,
    entry_points={
        'console_scripts': [
            'emma = emma_planner.cli:main',
            'planner_node = emma_planner.executables:planner_node',
            'follower_node = emma_planner.executables:follower_node',
            'simulation_node = emma_planner.executables:simulation_node',
            'bag_player = emma_planner.executables:bag_player',
        ],
    },
)
